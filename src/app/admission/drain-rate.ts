/** How much a subscription had settled at a moment. */
interface Mark {
  readonly atMs: number;
  readonly settled: number;
}

/** The rate is taken over the last one or two of these, in milliseconds; over more where nothing was settled meanwhile. */
const spanMs = 500;
/** A shorter time says too little. */
const leastMs = 50;

/**
 * How fast a subscription settles events while it has some. Times in which nothing was pending do not count: then it is as
 * fast as its publishers, and could be faster.
 */
export class DrainRate {
  #older: Mark | undefined;
  #newer: Mark | undefined;
  #known: number | undefined;

  /** Notes how much is settled; `idle`: nothing was pending when it was noted last, or it is counted from elsewhere now. */
  note(atMs: number, settled: number, idle: boolean): void {
    const mark = { atMs, settled };
    if (idle || !this.#older || !this.#newer) {
      this.#older = mark;
      this.#newer = mark;
    } else if (atMs - this.#newer.atMs >= spanMs) {
      if (this.#newer.settled > this.#older.settled) this.#older = this.#newer;
      this.#newer = mark;
    }
    const elapsedMs = atMs - this.#older.atMs;
    if (elapsedMs >= leastMs) this.#known = Math.max(0, settled - this.#older.settled) / elapsedMs;
  }

  /** Events per millisecond; undefined when it was never busy for long enough to tell. */
  perMs(): number | undefined {
    return this.#known;
  }
}
