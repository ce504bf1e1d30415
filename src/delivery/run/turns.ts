import type { Clock } from "../../platform/clock.ts";

/** How long synchronous handlers may keep the event loop in one turn of it, all partitions together, in milliseconds. */
const sliceMs = 2;

/**
 * Shares the turns of the event loop among the partitions of a process. Whoever has used a turn up goes on in the next one,
 * behind those who got nothing of it.
 */
export class Turns {
  readonly #clock: Clock;
  #deadline: number | undefined;
  #refused: (() => void)[] = [];
  #interrupted: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether anything is left of this turn; if not, `again` is called in the next one. */
  enter(again: () => void): boolean {
    if (this.#deadline === undefined) this.#begin();
    else if (this.isOver()) {
      this.#refused.push(again);
      return false;
    }
    return true;
  }

  /** Whether it is time to let others have their turn. */
  isOver(): boolean {
    return this.#clock.monotonic() > (this.#deadline ?? Number.POSITIVE_INFINITY);
  }

  /** Goes on in the next turn. */
  interrupt(again: () => void): void {
    this.#interrupted.push(again);
  }

  #begin(): void {
    this.#deadline = this.#clock.monotonic() + sliceMs;
    this.#clock.soon(() => this.#next());
  }

  #next(): void {
    const waiting = [...this.#refused, ...this.#interrupted];
    this.#refused = [];
    this.#interrupted = [];
    this.#deadline = undefined;
    for (const again of waiting) again();
  }
}
