import { TidingsError } from "../errors/tidings-error.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { readNotes, writeNotes } from "./broker-notes.ts";
import type { ComposedEngine } from "./composed.ts";
import { outboxCollections } from "./documents.ts";

const type = "tidings.broker.named";
const key = "broker";

/** The broker that a store serves. */
interface BrokerDocument {
  readonly id: string;
  /** Where it is, without secrets: for whoever reads of a mismatch. */
  readonly address: string;
}

/**
 * Sees to it that a store serves one broker: the rows of its outbox do not say for which one they are, and its positions mean nothing
 * on another. The first broker with which it is started stands. Throws TIDINGS_STORE_MISMATCH.
 */
export async function bindBroker(engine: ComposedEngine, platform: Platform): Promise<void> {
  const { broker, store } = engine;
  const id = await identifyBroker(broker, platform);
  const { identity: collection } = outboxCollections;
  for (;;) {
    const [found] = (await store.state?.get(collection, [key])) ?? [];
    if (found) return check(engine, id, JSON.parse(found.value) as BrokerDocument);
    const value = JSON.stringify({ id, address: broker.address } satisfies BrokerDocument);
    // Two may ask at once: the second one finds what the first one wrote.
    await store.transact?.({ checks: [{ collection, key, version: 0 }], documents: [{ collection, key, value }] });
  }
}

/** Lets a store serve this broker from now on, whichever it has served. */
export async function rebindBroker({ broker, store }: ComposedEngine, platform: Platform): Promise<void> {
  const value = JSON.stringify({ id: await identifyBroker(broker, platform), address: broker.address });
  await store.transact?.({ documents: [{ collection: outboxCollections.identity, key, value }] });
}

function check({ broker, store }: ComposedEngine, id: string, known: BrokerDocument): void {
  if (known.id === id) return;
  throw new TidingsError(
    "TIDINGS_STORE_MISMATCH",
    `The store at ${store.address} serves another broker, at ${known.address}: what waits there to be sent, and the places of its subscriptions, are that one's and not those of the ${broker.name} at ${broker.address}. Give this broker a store of its own; or, when that one is gone for good, put this one in its place with \`tidings engine adopt\`.`,
    { details: { expected: known.id, found: id } },
  );
}

/** Who the broker is; it is given a name at the first question, and the first name stands. */
async function identifyBroker(broker: Engine, platform: Platform): Promise<string> {
  for (;;) {
    const [first] = await readNotes<{ readonly id: string }>(broker, type);
    if (first) return first.id;
    await writeNotes(broker, platform, type, [[null, { id: platform.ids.next() }]]);
  }
}
