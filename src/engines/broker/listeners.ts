import type { Clock } from "../../platform/clock.ts";
import type { TopicListener } from "../../ports/topics.ts";

/** What is told of a topic: the partitions that have grown, or that it may be any. */
type Grown = Set<number> | "any";

/** Those who listen to topics. They are told once everything else of a turn is done, and once a turn of each partition. */
export class Listeners {
  readonly #clock: Clock;
  readonly #topics = new Map<string, Set<TopicListener>>();
  readonly #due = new Map<string, Grown>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds a listener. The function that is answered takes it away, and says whether it was the last one of its topic. */
  add(topic: string, listener: TopicListener): () => boolean {
    // Wrapped, so that one function may listen twice.
    const own: TopicListener = (partition) => listener(partition);
    const listeners = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, listeners.add(own));
    return () => {
      const isLast = listeners.delete(own) && listeners.size === 0 && this.#topics.get(topic) === listeners;
      if (isLast) this.#topics.delete(topic);
      return isLast;
    };
  }

  /** Something came to a partition of a topic, or to any. */
  tell(topic: string, partition?: number): void {
    if (!this.#topics.has(topic)) return;
    const known = this.#due.get(topic);
    if (partition === undefined || known === "any") this.#due.set(topic, "any");
    else if (known) known.add(partition);
    else this.#due.set(topic, new Set([partition]));
    if (this.#due.size === 1 && known === undefined) this.#clock.soon(() => this.#flush());
  }

  clear(): void {
    this.#topics.clear();
    this.#due.clear();
  }

  #flush(): void {
    const due = Array.from(this.#due);
    this.#due.clear();
    for (const [topic, grown] of due)
      for (const partition of grown === "any" ? [undefined] : grown)
        for (const listener of Array.from(this.#topics.get(topic) ?? [])) listener(partition);
  }
}
