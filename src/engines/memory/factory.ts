import { TidingsError } from "../../errors/tidings-error.ts";
import { checkOptions } from "../../lib/options.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import type { EffectObserver, FaultHook } from "./faults.ts";
import { crashHandle, type Handle } from "./handle.ts";
import { createWorld } from "./world.ts";

/** Data in memory that several engines share, as processes share a file, and that outlives a crash of any of them. */
export interface MemoryWorld {
  /** Opens one more engine on the data. */
  open(context: EngineContext, options?: { readonly seed?: number }): Promise<Engine>;
  /**
   * Ends an engine as the death of its process would: queued calls never run and reject with TIDINGS_CLOSED,
   * as do all later ones; what took effect stays, acknowledged or not.
   */
  crash(engine: Engine): void;
  /** Asks the hook about every call before it takes effect, until the returned function is called. */
  fail(hook: FaultHook): () => void;
  /** Tells the observer of every call that took effect, in their order, until the returned function is called. It must not throw. */
  observe(observer: EffectObserver): () => void;
}

/** Options of the memory engine. */
export interface MemoryOptions {
  /** Seed of the shuffles; drawn from the platform unless given. */
  readonly seed?: number;
  /** The data to work on; fresh ones unless given. */
  readonly world?: MemoryWorld;
}

/** What `tidings({ engine })` takes. */
export interface MemoryEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** An engine whose data live as long as this object: opening it again finds them. */
export function memory(options: MemoryOptions = {}): MemoryEngine {
  checkOptions("memory()", options, ["seed", "world"]);
  const { seed, world = memoryWorld() } = options;
  return { open: (context) => world.open(context, seed === undefined ? {} : { seed }) };
}

/** An empty world. Leases and append times go by `clock`, or by the clock of the first engine that is opened. */
export function memoryWorld(options: { readonly clock?: Clock } = {}): MemoryWorld {
  checkOptions("memoryWorld()", options, ["clock"]);
  const world = createWorld(options.clock);
  const handles = new WeakMap<Engine, Handle>();
  return {
    async open(context, { seed } = {}) {
      const { engine, handle } = openEngine(world, context, seed);
      handles.set(engine, handle);
      return engine;
    },
    crash(engine) {
      const handle = handles.get(engine);
      if (!handle) throw new TidingsError("TIDINGS_NOT_FOUND", "This engine was not opened on this world.");
      crashHandle(handle);
    },
    fail(hook) {
      world.faultHooks.add(hook);
      return () => void world.faultHooks.delete(hook);
    },
    observe(observer) {
      world.observers.add(observer);
      return () => void world.observers.delete(observer);
    },
  };
}
