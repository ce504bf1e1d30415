import type { CancelTimer, Clock } from "../../platform/clock.ts";
import type { Dice } from "./dice.ts";
import type { Callback, CallbackOwner, Scheduler } from "./scheduler.ts";

/** What the clocks of a simulation begin with. */
export const epochMs = Date.UTC(2026, 0, 1);

/**
 * The clock of one process: it may run fast or slow, and its wall clock may jump. A turn of the event loop takes a moment
 * of true time, so that something may happen between any two of them; within a process turns keep their order.
 */
export class NodeClock implements Clock {
  /** What the wall clock is ahead, in milliseconds. */
  offsetMs = 0;
  readonly #scheduler: Scheduler;
  readonly #owner: CallbackOwner;
  readonly #dice: Dice;
  readonly #hopMs: number;
  readonly #rate: number;
  readonly #startMs: number;
  #lastSoonMs = 0;

  constructor(
    scheduler: Scheduler,
    owner: CallbackOwner,
    options: { dice: Dice; hopMs: number; rate: number; offsetMs: number },
  ) {
    this.#scheduler = scheduler;
    this.#owner = owner;
    this.#dice = options.dice;
    this.#hopMs = options.hopMs;
    this.#rate = options.rate;
    this.#startMs = scheduler.nowMs;
    this.offsetMs = options.offsetMs;
  }

  monotonic(): number {
    return (this.#scheduler.nowMs - this.#startMs) * this.#rate;
  }

  now(): number {
    return Math.floor(epochMs + this.#startMs + this.offsetMs + this.monotonic());
  }

  after(delayMs: number, fn: () => void): CancelTimer {
    if (delayMs === Number.POSITIVE_INFINITY) return () => undefined;
    // Rounded up, so that this clock never sees a timer early.
    const dueMs = this.#scheduler.nowMs + Math.max(0, delayMs || 0) / this.#rate + (this.#rate === 1 ? 0 : 1e-6);
    const callback: Callback = this.#scheduler.at(dueMs, fn, this.#owner);
    return () => void (callback.cancelled = true);
  }

  soon(fn: () => void): void {
    const atMs = this.#scheduler.nowMs + this.#dice.random.next() * this.#hopMs;
    this.#lastSoonMs = Math.max(this.#lastSoonMs, atMs);
    this.#scheduler.at(this.#lastSoonMs, fn, this.#owner);
  }
}
