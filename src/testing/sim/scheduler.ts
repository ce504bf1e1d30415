import { systemClock } from "../../platform/system.ts";

/** A callback that waits for its instant. */
export interface Callback {
  atMs: number;
  readonly order: number;
  /** Whose it is; undefined for the simulation's own. */
  readonly owner: CallbackOwner | undefined;
  readonly fn: () => void;
  cancelled: boolean;
}

/** Somebody whose callbacks can be withheld, or dropped for ever. */
export interface CallbackOwner {
  /** A number for the trace. */
  readonly number: number;
  /** `run` lets it happen now; `keep`: the owner has taken it and brings it back; `drop`: it never happens. */
  admit(callback: Callback): "run" | "keep" | "drop";
}

/** After so many steps nothing happens any more: whoever is at that is in a circle, and what is not done will be found. */
const stepsMax = 2_000_000;

/**
 * The one queue of everything that happens in a simulation, by true time. A step is one callback that was fired; after
 * each of them all promises settle, so that nothing else ever runs between two steps.
 */
export class Scheduler {
  /** True time in milliseconds since the simulation began. */
  nowMs = 0;
  steps = 0;
  readonly #heap: Callback[] = [];
  readonly #onStep: (callback: Callback) => void;
  #orders = 0;

  constructor(onStep: (callback: Callback) => void) {
    this.#onStep = onStep;
  }

  /** Calls `fn` at an instant, or now when that is over. */
  at(atMs: number, fn: () => void, owner?: CallbackOwner): Callback {
    const callback = { atMs: Math.max(atMs, this.nowMs), order: this.#orders++, owner, fn, cancelled: false };
    this.#push(callback);
    return callback;
  }

  /** Brings back what an owner had kept, to happen now. Earlier orders come first. */
  again(callback: Callback): void {
    callback.atMs = Math.max(callback.atMs, this.nowMs);
    this.#push(callback);
  }

  /** Resolves after a span of true time. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.at(this.nowMs + delayMs, resolve));
  }

  /** Fires callbacks until an instant, or until nothing is left or `stop` says so. */
  async runUntil(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    for (;;) {
      const [next] = this.#heap;
      if (stop()) return;
      if (!next || next.atMs > untilMs || this.steps >= stepsMax) break;
      this.#pop();
      if (next.cancelled) continue;
      this.nowMs = next.atMs;
      const fate = next.owner?.admit(next) ?? "run";
      if (fate !== "run") continue;
      this.steps += 1;
      this.#onStep(next);
      next.fn();
      await turn();
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #push(callback: Callback): void {
    const heap = this.#heap;
    let index = heap.push(callback) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Callback;
      if (isBefore(parent, callback)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = callback;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0 || !last) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right && isBefore(right, heap[below] as Callback)) below += 1;
      const child = heap[below] as Callback;
      if (isBefore(last, child)) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = last;
  }
}

function isBefore(a: Callback, b: Callback): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** One turn of the real event loop: every promise that can settle has settled when it is over. */
const turn = (): Promise<void> => new Promise((resolve) => systemClock.soon(resolve));
