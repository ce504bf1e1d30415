import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { outboxCollections, type StoreIdentity } from "./documents.ts";

const key = "store";

/** Who the store is; it is given a name at the first question. */
export async function identify(store: Engine, ids: Platform["ids"]): Promise<StoreIdentity> {
  for (;;) {
    const [found] = (await store.state?.get(outboxCollections.identity, [key])) ?? [];
    if (found) return JSON.parse(found.value) as StoreIdentity;
    const { identity: collection } = outboxCollections;
    // Two may ask at once: the second one finds what the first one wrote.
    await store.transact?.({
      checks: [{ collection, key, version: 0 }],
      documents: [{ collection, key, value: JSON.stringify({ id: ids.next() } satisfies StoreIdentity) }],
    });
  }
}

/** Gives the store another name: what it sends from now on is told from what it has sent before. Resolves with the new one. */
export async function rename(store: Engine, ids: Platform["ids"]): Promise<StoreIdentity> {
  const identity = { id: ids.next() } satisfies StoreIdentity;
  const { identity: collection } = outboxCollections;
  await store.transact?.({ documents: [{ collection, key, value: JSON.stringify(identity) }] });
  return identity;
}
