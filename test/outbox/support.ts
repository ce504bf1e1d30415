import type { AppOptions, Service } from "tidings";
import { memoryWorld, type MemoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { type Bench, bench } from "../delivery/support.ts";

/** A broker and a store in two worlds, and processes that come and go. */
export interface Apart {
  readonly broker: MemoryWorld;
  readonly store: MemoryWorld;
  /** Starts a process. */
  start(services: readonly Service[], options?: Partial<AppOptions>): Promise<Bench>;
  /** Kills one. */
  kill(process: Bench): void;
}

/** Processes whose events are in one world and whose state is in another. */
export function apart(seed = 1): Apart {
  const broker = memoryWorld();
  const store = memoryWorld();
  const platform = virtualPlatform({ seed });
  const engines = new WeakMap<object, readonly (readonly [MemoryWorld, object])[]>();
  return {
    broker,
    store,
    async start(services, options = {}) {
      const opened: (readonly [MemoryWorld, object])[] = [];
      const factory = (world: MemoryWorld): AppOptions["engine"] => ({
        async open(context) {
          const engine = await world.open(context);
          opened.push([world, engine]);
          return engine;
        },
      });
      const { platform: _, ...rest } = options;
      const process = await bench(services, {
        memberId: "one",
        engine: factory(broker) as NonNullable<AppOptions["engine"]>,
        store: factory(store) as NonNullable<AppOptions["store"]>,
        ...rest,
        platform,
      });
      engines.set(process, opened);
      return process;
    },
    kill(process) {
      for (const [world, engine] of engines.get(process) ?? []) world.crash(engine as never);
    },
  };
}
