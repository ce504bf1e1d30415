import { DrainRate } from "./drain-rate.ts";
import type { BacklogLimit, Lag } from "./lag.ts";

/** No estimate goes on for longer than this without a look, in milliseconds. */
const aheadMaxMs = 250;
/** The longest time that a refused publisher is told to wait, in milliseconds, and the one while no rate is known. */
const retryMs = { most: 10_000, unknown: 250 };

/** What is pending at one subscription with a limit, as well as a publisher knows it between two looks at the store. */
export class Backlog {
  limit: BacklogLimit;
  readonly #rate = new DrainRate();
  /** At the last look; nothing before the first, or when the store could not be read. */
  #lag: Lag | undefined;
  #lookedAtMs = 0;

  constructor(limit: BacklogLimit) {
    this.limit = limit;
  }

  /** Takes in a look; undefined: the store could not be read, and nobody is refused on what was known before. */
  looked(lag: Lag | undefined, atMs: number): void {
    const before = this.#lag;
    if (lag) {
      const busy = before !== undefined && before.pending > 0 && lag.pending > 0 && before.run === lag.run;
      this.#rate.note(atMs, lag.settled, !busy);
    }
    this.#lag = lag;
    this.#lookedAtMs = atMs;
  }

  /** What is pending now, when `more` have come since the last look. */
  pending(more: number, nowMs: number): number {
    if (!this.#lag) return 0;
    const drained = (this.#rate.perMs() ?? 0) * Math.min(aheadMaxMs, nowMs - this.#lookedAtMs);
    return Math.max(0, this.#lag.pending + more - drained);
  }

  /** Settled events per second; undefined when it is not known. */
  drainedPerSecond(): number | undefined {
    const perMs = this.#rate.perMs();
    return perMs === undefined ? undefined : perMs * 1000;
  }

  /**
   * When to try again, in milliseconds, with `pending` there and `refused` publishes in the last second, which should not
   * all come back at once: `chance` (0 to 1) spreads them over the time in which the subscription handles as many.
   */
  retryAfterMs(pending: number, refused: number, chance: number): number {
    const perMs = this.#rate.perMs();
    if (perMs === undefined) return Math.ceil(retryMs.unknown * (1 + chance));
    const excess = Math.max(1, pending - this.limit.eventsMax + 1);
    const wait = perMs > 0 ? (excess + refused * chance) / perMs : retryMs.most;
    return Math.max(1, Math.ceil(wait > retryMs.most ? (retryMs.most * (1 + chance)) / 2 : wait));
  }
}
