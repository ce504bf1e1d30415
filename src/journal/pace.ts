import type { Clock } from "../platform/clock.ts";

/** How much a look must take longer than a command, that it is worth an entry in the journal. */
const farSlower = 2;

/**
 * How long it takes to look for the end of the journal, and how long to write a command and to read it back. Both tell what stands
 * there; some brokers have no question for the end of a topic, and answer it in many steps.
 */
export class Pace {
  readonly #clock: Clock;
  #lookMs = 0;
  #commandMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins to measure; to be called at the end. */
  looking(): () => void {
    const sinceMs = this.#clock.monotonic();
    return () => void (this.#lookMs = this.#clock.monotonic() - sinceMs);
  }

  writing(): () => void {
    const sinceMs = this.#clock.monotonic();
    return () => void (this.#commandMs = this.#clock.monotonic() - sinceMs);
  }

  /** Whether a command told more quickly than a look, when both were last done. */
  get prefersCommands(): boolean {
    return this.#commandMs > 0 && this.#lookMs > farSlower * this.#commandMs;
  }
}
