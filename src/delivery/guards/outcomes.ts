import type { Clock } from "../../platform/clock.ts";
import type { BreakerOptions } from "./dependency.ts";

/** A part of the window. */
interface Bucket {
  /** Number of the part since the clock began. */
  readonly slot: number;
  calls: number;
  failures: number;
}

/** A window is counted in so many parts. */
const parts = 10;

/** What this process has seen of the calls behind a closed breaker. */
export class Outcomes {
  readonly #options: BreakerOptions;
  readonly #clock: Clock;
  #inRow = 0;
  #buckets: Bucket[] = [];

  constructor(options: BreakerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  succeeded(): void {
    this.#inRow = 0;
    if (this.#options.ratio !== undefined) this.#bucket().calls += 1;
  }

  /** Notes a failure; says why the breaker trips, if it does. */
  failed(): string | undefined {
    const { ratio, minimum = 10, windowMs = 10_000 } = this.#options;
    const most = this.#options.failures ?? (ratio === undefined ? 5 : undefined);
    this.#inRow += 1;
    if (most !== undefined && this.#inRow >= most)
      return this.#inRow === 1 ? "it failed" : `it failed ${this.#inRow} times in a row`;
    if (ratio === undefined) return undefined;
    const bucket = this.#bucket();
    bucket.calls += 1;
    bucket.failures += 1;
    const calls = this.#buckets.reduce((sum, one) => sum + one.calls, 0);
    const failures = this.#buckets.reduce((sum, one) => sum + one.failures, 0);
    if (calls < minimum || failures / calls <= ratio) return undefined;
    return `${failures} of ${calls} calls failed within ${windowMs} ms`;
  }

  /** Forgets everything. */
  reset(): void {
    this.#inRow = 0;
    this.#buckets = [];
  }

  #bucket(): Bucket {
    const slot = Math.floor((this.#clock.monotonic() * parts) / (this.#options.windowMs ?? 10_000));
    this.#buckets = this.#buckets.filter((bucket) => bucket.slot > slot - parts);
    let last = this.#buckets.at(-1);
    if (last?.slot !== slot) this.#buckets.push((last = { slot, calls: 0, failures: 0 }));
    return last;
  }
}
