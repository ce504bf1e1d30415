import { sortedList } from "../lib/sorted-list.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import type { Platform } from "./platform.ts";
import { seededRandom } from "./random.ts";
import { uuid7Source } from "./uuid7.ts";

interface VirtualTimer {
  readonly dueAt: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /** Moves time forward by `ms`, firing the timers on the way in order and letting each settle. */
  advance(ms: number): Promise<void>;
  /** When the next timer is due, in the same scale as `now()`; undefined when there is none. */
  nextTimerAt(): number | undefined;
  /** Moves time forward to the earliest timer and calls it, and nothing else; false when there is none. */
  fireNext(): boolean;
  /** How many functions given to `soon` have not run yet. */
  soonPending(): number;
  /** Lets everything run that needs no time to pass. */
  flush(): Promise<void>;
  /** Lets the wall clock jump, without firing timers, as an operator or NTP would. */
  jump(ms: number): void;
}

/** Creates a virtual clock that begins at `startMs` (2026-01-01 UTC by default). */
export function virtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let elapsed = 0;
  let wallOffset = startMs;
  let orders = 0;
  let pending = 0;
  const timers = sortedList<VirtualTimer>((a, b) => a.dueAt - b.dueAt || a.order - b.order);
  const earliest = (): VirtualTimer | undefined => timers.from().next().value;

  /** Runs macrotask hops until no `soon` is left; promises settle between the hops. */
  async function flush(): Promise<void> {
    do {
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (pending > 0);
  }

  function fire(timer: VirtualTimer): void {
    timers.delete(timer);
    elapsed = Math.max(elapsed, timer.dueAt);
    timer.fn();
  }

  return {
    now: () => wallOffset + elapsed,
    monotonic: () => elapsed,
    soon(fn) {
      pending++;
      setImmediate(() => {
        pending--;
        fn();
      });
    },
    after(delayMs, fn): CancelTimer {
      // As a real timer, one without a number for a delay fires at once; one without an end never does.
      if (delayMs === Number.POSITIVE_INFINITY) return () => undefined;
      const timer: VirtualTimer = { dueAt: elapsed + Math.max(0, delayMs || 0), order: orders++, fn };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    nextTimerAt: () => {
      const first = earliest();
      return first && wallOffset + first.dueAt;
    },
    fireNext() {
      const first = earliest();
      if (first) fire(first);
      return first !== undefined;
    },
    soonPending: () => pending,
    flush,
    jump(ms) {
      wallOffset += ms;
    },
    async advance(ms) {
      const until = elapsed + ms;
      await flush();
      for (let first = earliest(); first && first.dueAt <= until; first = earliest()) {
        fire(first);
        await flush();
      }
      elapsed = until;
      await flush();
    },
  };
}

/** A platform whose time stands still and whose chance is seeded. */
export function virtualPlatform(
  options: { seed?: number; startMs?: number } = {},
): Platform & { readonly clock: VirtualClock } {
  const clock = virtualClock(options.startMs);
  const random = seededRandom(options.seed ?? 1);
  return { clock, random, ids: uuid7Source(clock, random) };
}
