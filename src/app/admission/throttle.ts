import type { Admission } from "./admission.ts";

/**
 * How much a subscription should fetch at most, because what its handlers publish piles up at another one. Units of work
 * are never refused; they draw on a reserve, and as that is used up, whoever fills it fetches less.
 */
export class Throttle {
  readonly #admission: Admission;
  readonly #subscription: string;
  /** What its handlers have published to. */
  readonly #topics = new Set<string>();

  constructor(admission: Admission, subscription: string) {
    this.#admission = admission;
    this.#subscription = subscription;
  }

  /** One of its handlers publishes an event to this topic. */
  publishesTo(topic: string): void {
    this.#topics.add(topic);
    this.#admission.gate(topic)?.unitPublishes();
  }

  /** How many events may be on their way; 0 or less: none. Its own backlog does not count: fetching is what drains it. */
  room(): number {
    let room = Number.POSITIVE_INFINITY;
    if (this.#topics.size > 0) this.#admission.heartbeat();
    for (const topic of this.#topics) {
      const left = this.#admission.gate(topic)?.reserveLeft(this.#subscription);
      if (left !== undefined) room = Math.min(room, left);
    }
    return room;
  }
}
