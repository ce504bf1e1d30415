import type { Admission } from "./admission.ts";
import type { Reserve } from "./topic-gate.ts";

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
    return this.#least()?.left ?? Number.POSITIVE_INFINITY;
  }

  /** Where what its handlers publish piles up, so that it fetches less; undefined when that is not so. */
  because(): string | undefined {
    return this.#least()?.subscription;
  }

  #least(): Reserve | undefined {
    let least: Reserve | undefined;
    if (this.#topics.size > 0) this.#admission.heartbeat();
    for (const topic of this.#topics) {
      const reserve = this.#admission.gate(topic)?.reserve(this.#subscription);
      if (reserve && reserve.left < (least?.left ?? Number.POSITIVE_INFINITY)) least = reserve;
    }
    return least;
  }
}
