import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { TopicListener } from "../../ports/topics.ts";
import { Listeners } from "../broker/listeners.ts";
import { at } from "./api.ts";
import type { Catalog, KnownTopic } from "./catalog.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import type { FetchEntry, Protocol } from "./protocol.ts";
import type { Reader } from "./reader.ts";

const pauseMs = 100;
/** How long what was stored may take to come by itself. */
const lateMs = 100;
/** Of what comes to the end of a partition, so much is sent with the news at once; of all that one broker leads, in bytes. */
const sent = { partitionMax: 64 * 1024, max: 1024 * 1024 };

interface Watched {
  topic: KnownTopic | undefined;
  /** By partition: what is behind this is news. */
  ends: number[];
  /** By partition: where those who read it are sent what comes, while a question for that is under way. */
  readonly waits: Map<number, number>;
  /** Partitions of which listeners are told later, if those do not come. */
  readonly late: Set<number>;
}

export interface NewsParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly link: Link;
  readonly protocol: Protocol;
  readonly catalog: Catalog;
  readonly reader: Reader;
}

/**
 * Hears of new events of watched topics, whoever writes them: a question for what stands behind their ends is left with
 * each leader, which answers when there is something. Those who have read all are given what the answer holds.
 */
export class News {
  readonly #parts: NewsParts;
  readonly #listeners: Listeners;
  readonly #watched = new Map<string, Watched>();
  /** The brokers that are asked. */
  readonly #asking = new Set<number>();
  readonly #pauses = new Set<CancelTimer>();
  #closed = false;

  constructor(parts: NewsParts) {
    this.#parts = parts;
    this.#listeners = new Listeners(parts.platform.clock);
    parts.link.listen({
      up: () => {
        // Something may have come while nobody listened.
        for (const topic of this.#watched.keys()) this.#listeners.tell(topic);
        this.#ask();
      },
    });
  }

  /** An event of this process was stored. */
  published(topic: string, partition: number): void {
    const watched = this.#watched.get(topic);
    if (!watched) return;
    if (!this.#areWaiting(watched, partition)) return this.#listeners.tell(topic, partition);
    // They are about to be given it, unless the broker does not answer.
    if (watched.late.has(partition)) return;
    watched.late.add(partition);
    const position = watched.waits.get(partition);
    this.#later(lateMs, () => {
      watched.late.delete(partition);
      if (watched.waits.get(partition) === position) this.#listeners.tell(topic, partition);
    });
  }

  #areWaiting({ topic, waits }: Watched, partition: number): boolean {
    const position = waits.get(partition);
    return topic !== undefined && position !== undefined && this.#parts.reader.areBefore(topic, partition, position);
  }

  watch(topic: string, listener: TopicListener): () => void {
    const remove = this.#listeners.add(topic, listener);
    if (!this.#watched.has(topic)) {
      const watched: Watched = { topic: undefined, ends: [], waits: new Map(), late: new Set() };
      this.#watched.set(topic, watched);
      void this.#begin(topic, watched);
    }
    return () => {
      if (remove()) this.#watched.delete(topic);
    };
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#pauses) cancel();
    this.#watched.clear();
    this.#listeners.clear();
  }

  /** Looks where the topic ends; again while it is not there yet, or no broker is. */
  async #begin(name: string, watched: Watched): Promise<void> {
    const { catalog, reader } = this.#parts;
    try {
      const topic = await catalog.topic(name);
      watched.ends = Array.from(await reader.offsets(topic, at.end));
      watched.topic = topic;
      // What came since the listener was added and before the ends were known.
      this.#listeners.tell(name);
      this.#ask();
    } catch {
      if (!this.#closed && this.#watched.get(name) === watched)
        this.#later(this.#parts.settings.pollMs, () => void this.#begin(name, watched));
    }
  }

  /** Leaves a question with every leader that has none. */
  #ask(): void {
    if (this.#closed) return;
    const nodes = new Set(Array.from(this.#watched.values(), ({ topic }) => topic?.leaders ?? []).flat());
    for (const node of nodes) {
      if (node < 0 || this.#asking.has(node)) continue;
      this.#asking.add(node);
      void this.#round(node);
    }
  }

  async #round(node: number): Promise<void> {
    const entries = Array.from(this.#entriesOf(node));
    let waitMs = 0;
    try {
      // Nothing more is led there.
      if (entries.length > 0) await this.#question(node, entries);
    } catch {
      waitMs = pauseMs;
      await this.#parts.catalog.refresh().catch(() => undefined);
    }
    for (const { topic, partition } of entries) this.#watched.get(this.#nameOf(topic))?.waits.delete(partition);
    this.#later(waitMs, () => {
      this.#asking.delete(node);
      this.#ask();
    });
  }

  *#entriesOf(node: number): Iterable<FetchEntry> {
    for (const { topic, ends, waits } of this.#watched.values()) {
      if (!topic || topic.gone) continue;
      for (const [partition, leader] of topic.leaders.entries()) {
        if (leader !== node) continue;
        const position = ends[partition] ?? 0;
        const isWaited = this.#parts.reader.areBefore(topic, partition, position);
        if (isWaited) waits.set(partition, position);
        yield { topic: topic.name, partition, position, bytesMax: isWaited ? sent.partitionMax : 1 };
      }
    }
  }

  async #question(node: number, entries: readonly FetchEntry[]): Promise<void> {
    const { link, protocol, settings, reader } = this.#parts;
    await link.ready();
    const connection = await link.connection(node, "watch");
    const limits = { waitMs: settings.pollMs, bytesMin: 1, bytesMax: sent.max };
    for (const answer of await protocol.fetch(connection, entries, limits)) {
      const { topic, partition, error, stableEnd } = answer;
      const name = this.#nameOf(topic);
      const watched = this.#watched.get(name);
      if (!watched?.topic) continue;
      // Where it was asked for, whatever is known by now: what stands before it is not in the answer.
      const asked = entries.find((entry) => entry.topic === topic && entry.partition === partition);
      if (asked && error === 0) reader.offer(watched.topic, partition, asked.position, answer);
      if (error === 1) watched.ends = Array.from(await reader.offsets(watched.topic, at.end));
      else if (error !== 0) throw new Error(`${topic}/${partition}: ${error}`);
      else if (stableEnd > (watched.ends[partition] ?? 0)) watched.ends[partition] = stableEnd;
      else continue;
      this.#listeners.tell(name, partition);
    }
  }

  #nameOf(topic: string): string {
    return topic.slice(this.#parts.settings.prefix.length);
  }

  #later(waitMs: number, act: () => void): void {
    if (this.#closed) return;
    const cancel = this.#parts.platform.clock.after(waitMs, () => {
      this.#pauses.delete(cancel);
      act();
    }, true); // prettier-ignore
    this.#pauses.add(cancel);
  }
}
