import { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import { type Random, seededRandom } from "../../platform/random.ts";
import type { Engine } from "../../ports/engine.ts";
import { failedBefore, type MemoryCall, type MemoryFault, outcomeUnknown } from "./faults.ts";
import { shuffle, shuffleFreely } from "./shuffle.ts";
import type { World } from "./world.ts";

/** A call that waits for its turn. */
interface Operation {
  readonly call: Omit<MemoryCall, "engine">;
  /** What it touches, see `shuffleFreely`. */
  readonly slots: () => readonly string[] | undefined;
  /** Takes effect; told whether the caller may never learn of it. */
  readonly run: (uncertain: boolean) => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  /** What a hook has answered; asked once, also when the call was delayed. */
  fault?: MemoryFault | undefined;
  /** It has waited for its delay. */
  delayed?: boolean;
}

/** One opened engine on a world: its queue, its watchers, whether it lives. */
export interface Handle {
  readonly world: World;
  readonly platform: Platform;
  readonly random: Random;
  readonly deduplicationWindowMs: number;
  engine: Engine | undefined;
  phase: "open" | "closing" | "closed";
  queue: Operation[];
  /** A flush is due, or a delayed call holds the queue. */
  scheduled: boolean;
  /** Calls that took effect and whose answer waits. */
  readonly unanswered: Set<Operation>;
  readonly watchers: Map<string, Set<() => void>>;
  readonly touched: Set<string>;
  readonly closeWaiters: (() => void)[];
}

/** Opens a handle on the world. */
export function openHandle(world: World, platform: Platform, seed: number, deduplicationWindowMs: number): Handle {
  const handle: Handle = {
    world,
    platform,
    random: seededRandom(seed),
    deduplicationWindowMs,
    engine: undefined,
    phase: "open",
    queue: [],
    scheduled: false,
    unanswered: new Set(),
    watchers: new Map(),
    touched: new Set(),
    closeWaiters: [],
  };
  world.handles.add(handle);
  return handle;
}

/** Everything in order: nothing before or behind it may change places with it. */
export const everything = (): undefined => undefined;
/** Nothing that an order could be seen by. */
export const nothing = (): readonly string[] => [];

/** Queues a call for the flush of this turn; resolves or rejects when it had its effect. */
export function submit<Result>(
  handle: Handle,
  call: Operation["call"],
  slots: Operation["slots"],
  run: (uncertain: boolean) => Result,
): Promise<Result> {
  if (handle.phase !== "open") return Promise.reject(closedError());
  return new Promise<Result>((resolve, reject) => {
    handle.queue.push({ call, slots, run, resolve, reject });
    if (handle.scheduled) return;
    handle.scheduled = true;
    handle.platform.clock.soon(() => flush(handle));
  });
}

/** What calls after `close` or a crash reject with. */
export function closedError(): TidingsError {
  return new TidingsError("TIDINGS_CLOSED", "The memory engine is closed.");
}

/** Runs what has gathered. Promises settle after all of it took effect, since nothing here awaits. */
function flush(handle: Handle): void {
  handle.scheduled = false;
  const operations = shuffleFreely(handle.queue, (operation) => operation.slots(), handle.random);
  handle.queue = [];
  for (const [index, operation] of operations.entries()) {
    operation.fault ??= faultOf(handle, operation);
    const delayMs = operation.fault?.delayMs ?? 0;
    if (delayMs > 0 && !operation.delayed) {
      operation.delayed = true;
      handle.queue = [...operations.slice(index), ...handle.queue];
      handle.scheduled = true;
      handle.platform.clock.after(delayMs, () => flush(handle));
      return;
    }
    execute(handle, operation);
  }
  settleClose(handle);
}

function faultOf(handle: Handle, operation: Operation): MemoryFault | undefined {
  try {
    for (const hook of handle.world.faultHooks) {
      const fault = hook({ ...operation.call, engine: handle.engine as Engine });
      if (fault) return fault;
    }
    return undefined;
  } catch (error) {
    // A hook that throws fails the call it was asked about and no other one.
    return { fail: "before", error: error as Error };
  }
}

function execute(handle: Handle, operation: Operation): void {
  const { fault } = operation;
  if (fault?.fail === "before") return operation.reject(failedBefore(fault));
  const answerDelayMs = fault?.answerDelayMs ?? 0;
  let answer: () => void;
  try {
    const result = operation.run(fault?.fail === "after" || answerDelayMs > 0) as never;
    for (const observe of handle.world.observers)
      observe({ ...operation.call, engine: handle.engine as Engine }, result);
    answer = () => (fault?.fail === "after" ? operation.reject(outcomeUnknown()) : operation.resolve(result));
  } catch (error) {
    answer = () => operation.reject(error);
  }
  if (answerDelayMs <= 0) return answer();
  handle.unanswered.add(operation);
  handle.platform.clock.after(answerDelayMs, () => {
    if (!handle.unanswered.delete(operation)) return;
    answer();
    settleClose(handle);
  });
}

/** Calls the listener soon after something of this name was written, by any engine on the world. */
export function watch(handle: Handle, name: string, listener: () => void): () => void {
  if (handle.phase !== "open") throw closedError();
  // Each watch is its own entry, so that the same function may watch twice and stop once.
  const entry = (): void => listener();
  const listeners = handle.watchers.get(name) ?? new Set();
  handle.watchers.set(name, listeners.add(entry));
  return () => {
    listeners.delete(entry);
    if (listeners.size === 0 && handle.watchers.get(name) === listeners) handle.watchers.delete(name);
  };
}

/** Tells the watchers of all engines on the world, each in a turn of its own. */
export function touch(world: World, name: string): void {
  for (const handle of world.handles) {
    if (!handle.watchers.has(name)) continue;
    if (handle.touched.size === 0) handle.platform.clock.soon(() => wake(handle));
    handle.touched.add(name);
  }
}

function wake(handle: Handle): void {
  const names = shuffle([...handle.touched], handle.random);
  handle.touched.clear();
  for (const name of names) {
    for (const listener of handle.watchers.get(name) ?? []) listener();
  }
}

/** Refuses later calls and resolves when the accepted ones are settled. */
export function closeHandle(handle: Handle): Promise<void> {
  if (handle.phase === "open") handle.phase = "closing";
  handle.watchers.clear();
  return new Promise((resolve) => {
    handle.closeWaiters.push(resolve);
    settleClose(handle);
  });
}

/** Ends the handle as the death of its process would: what is queued never runs. */
export function crashHandle(handle: Handle): void {
  const dropped = handle.queue;
  handle.phase = "closing";
  handle.queue = [];
  handle.watchers.clear();
  for (const operation of dropped) operation.reject(closedError());
  for (const operation of handle.unanswered) operation.reject(outcomeUnknown());
  handle.unanswered.clear();
  settleClose(handle);
}

function settleClose(handle: Handle): void {
  if (handle.phase === "open" || handle.queue.length > 0 || handle.unanswered.size > 0) return;
  handle.phase = "closed";
  handle.world.handles.delete(handle);
  for (const resolve of handle.closeWaiters.splice(0)) resolve();
}
