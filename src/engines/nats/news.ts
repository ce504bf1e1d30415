import type { Subscription } from "@nats-io/transport-node";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Line, Link } from "./link.ts";
import { newsSubjectOf } from "./names.ts";
import type { Settings } from "./options.ts";

/** A topic is told of at once, and then at most this often, in milliseconds. */
const everyMs = 5;

interface Watched {
  readonly listeners: Set<() => void>;
  subscription: Subscription | undefined;
  /** How many events the topic has had in all when it was looked at last. */
  count: number | undefined;
  /** Ends the looking. */
  cancel: CancelTimer | undefined;
}

/** How many events a topic has had, over all partitions. */
type CountOf = (topic: string) => Promise<number>;

/**
 * Tells other members that a topic has new events, after they were stored, and hears of theirs. The subject of the events
 * themselves would be a hint that comes too early: subscribers get a message when the stream has not kept it yet. For
 * those who publish without us, watched topics are looked at now and then.
 */
export class News {
  readonly #platform: Platform;
  readonly #settings: Settings;
  readonly #watched = new Map<string, Watched>();
  /** Topics that were told of a moment ago, and whether there is more to tell since. */
  readonly #told = new Map<string, boolean>();
  readonly #me: string;
  readonly #countOf: CountOf;
  #line: Line | undefined;

  constructor(platform: Platform, settings: Settings, link: Link, countOf: CountOf) {
    this.#platform = platform;
    this.#countOf = countOf;
    this.#settings = settings;
    this.#me = platform.ids.next();
    link.listen({ up: (line) => this.#up(line), down: () => (this.#line = undefined) });
  }

  /** Events of this process were stored. */
  published(topic: string): void {
    if (this.#told.has(topic)) return void this.#told.set(topic, true);
    this.#tell(topic);
  }

  watch(topic: string, listener: () => void): () => void {
    let watched = this.#watched.get(topic);
    if (!watched) {
      this.#watched.set(
        topic,
        (watched = { listeners: new Set(), subscription: undefined, count: undefined, cancel: undefined }),
      );
      this.#subscribe(topic, watched);
      void this.#look(topic, watched);
    }
    // Wrapped, so that one function may listen twice.
    const own = (): void => listener();
    const { listeners } = watched;
    listeners.add(own);
    return () => {
      listeners.delete(own);
      if (listeners.size > 0 || this.#watched.get(topic) !== watched) return;
      this.#watched.delete(topic);
      watched.cancel?.();
      watched.subscription?.unsubscribe();
    };
  }

  close(): void {
    for (const { cancel } of this.#watched.values()) cancel?.();
    this.#watched.clear();
    this.#line = undefined;
  }

  #tell(topic: string): void {
    this.#told.set(topic, false);
    // Behind what else was stored in this turn.
    this.#platform.clock.soon(() => this.#call(topic));
    this.#line?.nc.publish(newsSubjectOf(this.#settings.prefix, topic), this.#me);
    this.#platform.clock.after(everyMs, () => {
      const more = this.#told.get(topic);
      this.#told.delete(topic);
      if (more && this.#line) this.#tell(topic);
    }, true); // prettier-ignore
  }

  #call(topic: string): void {
    for (const listener of Array.from(this.#watched.get(topic)?.listeners ?? [])) listener();
  }

  async #look(topic: string, watched: Watched): Promise<void> {
    try {
      const count = this.#line ? await this.#countOf(topic) : undefined;
      if (count !== undefined && watched.count !== undefined && count !== watched.count) this.#call(topic);
      watched.count = count ?? watched.count;
    } catch {
      // A topic that is not there yet, or a server that is away: it is looked at again.
    }
    if (this.#watched.get(topic) !== watched) return;
    watched.cancel = this.#platform.clock.after(this.#settings.pollMs, () => void this.#look(topic, watched), true);
  }

  #up(line: Line): void {
    this.#line = line;
    for (const [topic, watched] of this.#watched) {
      this.#subscribe(topic, watched);
      // Something may have come while nobody listened.
      this.#call(topic);
    }
  }

  #subscribe(topic: string, watched: Watched): void {
    watched.subscription = this.#line?.nc.subscribe(newsSubjectOf(this.#settings.prefix, topic), {
      callback: (error, message) => {
        if (!error && message.string() !== this.#me) this.#call(topic);
      },
    });
  }
}
