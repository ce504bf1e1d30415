import type { RetentionRule } from "../../ports/topics.ts";
import type { Catalog } from "./catalog.ts";
import type { Connections } from "./connections.ts";
import type { Keys } from "./keys.ts";
import { retainScript } from "./scripts/retain.ts";
import type { StoreWatch } from "./store-watch.ts";

/** So many entries are looked at by one step, so that nobody waits for long. */
const entriesPerStep = 200;

/** What retention works with. */
export interface RetentionParts {
  readonly connections: Connections;
  readonly catalog: Catalog;
  readonly keys: Keys;
  readonly watch: StoreWatch;
}

/** Removes old events, partition by partition, in small steps. Resolves with the number removed. */
export async function retain(
  { connections, catalog, keys, watch }: RetentionParts,
  topic: string,
  rule: RetentionRule,
): Promise<number> {
  const streams = catalog.logs(await catalog.topic(topic));
  const { appendedBeforeMs, partitionBytesMax, floor } = rule;
  if (appendedBeforeMs === undefined && partitionBytesMax === undefined) return 0;
  const text = (value: number | undefined): string => (value === undefined ? "" : String(value));
  let removed = 0;
  for (const [partition, stream] of streams.entries()) {
    const place = floor?.[partition];
    const args = [watch.store, text(appendedBeforeMs), text(partitionBytesMax), text(place === undefined ? undefined : place + 1), String(entriesPerStep)]; // prettier-ignore
    for (let more = true; more;) {
      // A step that was done twice removes no more than it should.
      const step = await connections.read((from) => from.run<"replaced" | [number, number]>(retainScript, [keys.meta, stream], args)); // prettier-ignore
      if (step === "replaced") throw watch.another();
      removed += step[0];
      more = step[1] === 1;
    }
  }
  return removed;
}
