import { type Compare, lowerBound, sortedList } from "../../lib/sorted-list.ts";
import type { Timer, Timers } from "../../ports/timers.ts";
import type { TimerWrite } from "../../ports/transaction.ts";
import { type Handle, nothing, submit } from "./handle.ts";
import type { QueueData, World } from "./world.ts";

/** Earliest first; of the same instant, the one that was set first, since versions rise over all timers. */
const byDue: Compare<Timer> = (a, b) => a.dueAtMs - b.dueAtMs || a.version - b.version;

/** The timers of the world as one engine sees them. */
export function memoryTimers(handle: Handle): Timers {
  const { world } = handle;
  const look = <Result>(run: () => Result): Promise<Result> => submit(handle, { kind: "read" }, nothing, run);
  return {
    due: (queue, atMs, limit) => look(() => due(world.queues.get(queue), atMs, limit)),
    nextDueAt: (queue) => look(() => world.queues.get(queue)?.byDue.from().next().value?.dueAtMs),
    find: (queue, key) => look(() => world.queues.get(queue)?.byKey.get(key)),
    list: (queue, { after, limit }) => look(() => list(world.queues.get(queue), after, limit)),
  };
}

/** Sets, moves or cancels a timer. */
export function writeTimer(world: World, { queue, key, dueAtMs, payload = "", version }: TimerWrite): void {
  const data = queueOf(world, queue);
  const previous = data.byKey.get(key);
  if (dueAtMs === null) {
    if (!previous || (version !== undefined && version !== previous.version)) return;
    data.byKey.delete(key);
    data.byDue.delete(previous);
    if (data.byKey.size === 0) world.queues.delete(queue);
    return;
  }
  // One counter for all timers: a key that was cancelled and set again must not come back with a version it had.
  const timer: Timer = Object.freeze({ queue, key, dueAtMs, payload, version: ++world.timerVersions });
  if (previous) data.byDue.delete(previous);
  data.byKey.set(key, timer);
  data.byDue.add(timer);
}

function queueOf(world: World, name: string): QueueData {
  let data = world.queues.get(name);
  if (!data) world.queues.set(name, (data = { byKey: new Map(), byDue: sortedList(byDue) }));
  return data;
}

function due(data: QueueData | undefined, atMs: number, limit: number): readonly Timer[] {
  const found: Timer[] = [];
  if (!data || limit <= 0) return found;
  for (const timer of data.byDue.from()) {
    if (timer.dueAtMs > atMs) break;
    found.push(timer);
    if (found.length >= limit) break;
  }
  return found;
}

/** Sorts at each call: only operators list timers by key. */
function list(data: QueueData | undefined, after: string | undefined, limit: number): readonly Timer[] {
  const keys = [...(data?.byKey.keys() ?? [])].sort();
  const begin = after === undefined ? 0 : lowerBound(keys, (key) => (key <= after ? -1 : 1));
  return keys.slice(begin, begin + Math.max(0, limit)).map((key) => data?.byKey.get(key) as Timer);
}
