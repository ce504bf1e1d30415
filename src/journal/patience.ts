import type { CancelTimer, Clock } from "../platform/clock.ts";

/** How long what has time waits for company, in milliseconds, and how many of them wait no longer. */
const lingerMs = 20;
const lingerMax = 16;

/** Gathers commands that nobody waits for: a position that moves event by event would cost the broker a publish for each. */
export class Patience {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins work in the order of the calls: at once, or soon when it has time. */
  do<Result>(work: () => Promise<Result>, hasTime: boolean): Promise<Result> {
    if (!hasTime) {
      this.flush();
      return work();
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => void work().then(resolve, reject));
      if (this.#waiting.length >= lingerMax) this.flush();
      else this.#cancel ??= this.#clock.after(lingerMs, () => this.flush());
    });
  }

  /** Begins everything that waits. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const begin of waiting) begin();
  }
}
