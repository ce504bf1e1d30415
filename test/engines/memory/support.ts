import { memory, type MemoryWorld, memoryWorld } from "../../../src/engines/memory/index.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { type VirtualClock, virtualPlatform } from "../../../src/platform/virtual.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import type { TopicEntry } from "../../../src/ports/topics.ts";

export interface Bench {
  readonly world: MemoryWorld;
  readonly platform: Platform & { readonly clock: VirtualClock };
  readonly engine: Engine;
}

/** An engine on a world of its own, under virtual time, with a topic `t` of four partitions. */
export async function bench(seed = 1): Promise<Bench> {
  const world = memoryWorld();
  const platform = virtualPlatform({ seed });
  const engine = await memory({ world, seed }).open({ platform });
  await engine.topics.declare([{ name: "t", partitions: 4 }]);
  return { world, platform, engine };
}

let ids = 0;

/** An entry with a fresh id. */
export function entry(
  data: string | Uint8Array | undefined,
  options: Partial<TopicEntry> & { id?: string } = {},
): TopicEntry {
  const { id = `id-${ids++}`, ...place } = options;
  const record = { id, source: "/test", type: "happened", timeMs: 0, key: null, attributes: undefined, data };
  return { topic: "t", partition: 0, record, ...place };
}

/** The payloads of a partition. */
export async function dataOf(engine: Engine, partition = 0, topic = "t"): Promise<unknown[]> {
  const page = await engine.topics.read(topic, partition, 0, { events: 10_000, bytes: 1e9 });
  return page.records.map(({ data }) => data);
}
