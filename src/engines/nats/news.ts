import type { Subscription } from "@nats-io/transport-node";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { TopicListener } from "../../ports/topics.ts";
import { Listeners } from "../broker/listeners.ts";
import type { Line, Link } from "./link.ts";
import { newsSubjectOf } from "./names.ts";
import type { Settings } from "./options.ts";

/** Others are told of a topic at once, and then at most this often, in milliseconds. */
const everyMs = 5;

interface Watched {
  subscription: Subscription | undefined;
  /** How many events the topic has had in all when it was looked at last. */
  count: number | undefined;
  /** Ends the looking. */
  cancel: CancelTimer | undefined;
}

export interface NewsParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly link: Link;
  /** How many events a topic has had, over all partitions. */
  readonly countOf: (topic: string) => Promise<number>;
  /** Whether readers of the partition are sent what comes, and say so with `came`. */
  readonly hears: (topic: string, partition: number) => boolean;
}

/**
 * Tells listeners of this process and other members that a topic has new events, after they were stored, and hears of theirs.
 * The subject of the events themselves would be a hint that comes too early: subscribers get a message when the stream has not
 * kept it yet. For those who publish without us, watched topics are looked at now and then.
 */
export class News {
  readonly #parts: NewsParts;
  readonly #listeners: Listeners;
  readonly #watched = new Map<string, Watched>();
  /** Topics that others were told of a moment ago, and the partitions to tell of since. */
  readonly #told = new Map<string, Set<number>>();
  readonly #me: string;
  #line: Line | undefined;

  constructor(parts: NewsParts) {
    this.#parts = parts;
    this.#listeners = new Listeners(parts.platform.clock);
    this.#me = parts.platform.ids.next();
    parts.link.listen({ up: (line) => this.#up(line), down: () => (this.#line = undefined) });
  }

  /** An event of this process was stored. */
  published(topic: string, partition: number): void {
    this.#stored(topic, partition);
    const told = this.#told.get(topic);
    if (told) told.add(partition);
    else this.#tell(topic, new Set([partition]));
  }

  /** A reader was sent what is new in a partition. */
  came(topic: string, partition: number): void {
    this.#listeners.tell(topic, partition);
  }

  watch(topic: string, listener: TopicListener): () => void {
    const remove = this.#listeners.add(topic, listener);
    if (!this.#watched.has(topic)) {
      const watched: Watched = { subscription: undefined, count: undefined, cancel: undefined };
      this.#watched.set(topic, watched);
      this.#subscribe(topic, watched);
      void this.#look(topic, watched);
    }
    return () => {
      if (!remove()) return;
      const watched = this.#watched.get(topic);
      this.#watched.delete(topic);
      watched?.cancel?.();
      watched?.subscription?.unsubscribe();
    };
  }

  close(): void {
    for (const { cancel } of this.#watched.values()) cancel?.();
    this.#watched.clear();
    this.#listeners.clear();
    this.#line = undefined;
  }

  /** Where readers are sent what is stored, listeners hear of it when it is here. */
  #stored(topic: string, partition: number): void {
    if (!this.#parts.hears(topic, partition)) this.#listeners.tell(topic, partition);
  }

  #tell(topic: string, partitions: ReadonlySet<number>): void {
    const { settings, platform } = this.#parts;
    const more = new Set<number>();
    this.#told.set(topic, more);
    this.#line?.nc.publish(newsSubjectOf(settings.prefix, topic), `${this.#me} ${Array.from(partitions).join(" ")}`);
    platform.clock.after(everyMs, () => {
      this.#told.delete(topic);
      if (more.size > 0 && this.#line) this.#tell(topic, more);
    }, true); // prettier-ignore
  }

  #heard(topic: string, text: string): void {
    const [who, ...partitions] = text.split(" ");
    if (who !== this.#me) for (const partition of partitions) this.#stored(topic, Number(partition));
  }

  async #look(topic: string, watched: Watched): Promise<void> {
    const { countOf, platform, settings } = this.#parts;
    try {
      const count = this.#line ? await countOf(topic) : undefined;
      if (count !== undefined && watched.count !== undefined && count !== watched.count) this.#listeners.tell(topic);
      watched.count = count ?? watched.count;
    } catch {
      // A topic that is not there yet, or a server that is away: it is looked at again.
    }
    if (this.#watched.get(topic) !== watched) return;
    watched.cancel = platform.clock.after(settings.pollMs, () => void this.#look(topic, watched), true);
  }

  #up(line: Line): void {
    this.#line = line;
    for (const [topic, watched] of this.#watched) {
      this.#subscribe(topic, watched);
      // Something may have come while nobody listened.
      this.#listeners.tell(topic);
    }
  }

  #subscribe(topic: string, watched: Watched): void {
    watched.subscription = this.#line?.nc.subscribe(newsSubjectOf(this.#parts.settings.prefix, topic), {
      callback: (error, message) => {
        if (!error) this.#heard(topic, message.string());
      },
    });
  }
}
