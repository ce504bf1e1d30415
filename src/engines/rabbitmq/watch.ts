import type { Channel } from "amqplib";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { TopicListener, TopicSpec } from "../../ports/topics.ts";
import { Listeners } from "../broker/listeners.ts";
import { dropChannel, endConsumer, openChannel } from "./client.ts";
import { offsetArguments } from "./feed.ts";
import type { Line, Link } from "./link.ts";
import { queueOf } from "./names.ts";

/** After a hint the end of a stream is waited for anew, so that a busy one is not sent whole, in milliseconds. */
const restMs = 20;
/** The same of a partition that nobody reads here: a member watches all of a topic, and reads its share. In milliseconds. */
const unreadMs = 1000;
/** While a partition's readers hear of it themselves, it is asked so often whether they still do. */
const heardMs = 250;
/** After so long a topic that could not be watched is tried again. */
const againMs = 1000;

interface Watched {
  channel: Channel | undefined;
  cancel: CancelTimer | undefined;
}

export interface WatchParts {
  readonly platform: Platform;
  readonly prefix: string;
  readonly link: Link;
  readonly topic: (name: string) => Promise<TopicSpec>;
  /** Whether all who read a partition are sent what comes, and then say so here. */
  readonly hears: (topic: string, partition: number) => boolean;
  readonly isRead: (topic: string, partition: number) => boolean;
}

/**
 * Tells listeners that a topic has new events: at once of those of this process, and of others' by a consumer that waits at the
 * end of each stream for one message.
 */
export class Watch {
  readonly #parts: WatchParts;
  readonly #listeners: Listeners;
  readonly #watched = new Map<string, Watched>();
  #line: Line | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#listeners = new Listeners(parts.platform.clock);
    parts.link.listen({ up: (line) => this.#up(line), down: () => this.#down() });
  }

  /** Something came to a partition of a topic, or to any. */
  came(topic: string, partition?: number): void {
    if (partition === undefined || !this.#parts.hears(topic, partition)) this.#listeners.tell(topic, partition);
  }

  watch(topic: string, listener: TopicListener): () => void {
    const remove = this.#listeners.add(topic, listener);
    if (!this.#watched.has(topic)) {
      const watched: Watched = { channel: undefined, cancel: undefined };
      this.#watched.set(topic, watched);
      void this.#attach(topic, watched);
    }
    return () => {
      if (!remove()) return;
      const watched = this.#watched.get(topic);
      this.#watched.delete(topic);
      if (watched) this.#detach(watched);
    };
  }

  close(): void {
    for (const watched of this.#watched.values()) this.#detach(watched);
    this.#watched.clear();
    this.#listeners.clear();
    this.#line = undefined;
  }

  #up(line: Line): void {
    this.#line = line;
    for (const [topic, watched] of this.#watched) void this.#attach(topic, watched);
  }

  #down(): void {
    this.#line = undefined;
    for (const watched of this.#watched.values()) this.#detach(watched);
  }

  #detach(watched: Watched): void {
    watched.cancel?.();
    watched.cancel = undefined;
    if (watched.channel) dropChannel(watched.channel);
    watched.channel = undefined;
  }

  async #attach(topic: string, watched: Watched): Promise<void> {
    const line = this.#line;
    if (!line) return;
    this.#detach(watched);
    try {
      const { partitions } = await this.#parts.topic(topic);
      if (this.#line !== line || this.#watched.get(topic) !== watched) return;
      const channel = (watched.channel = await openChannel(line.model));
      channel.on("close", () => {
        if (watched.channel !== channel) return;
        watched.channel = undefined;
        this.#later(topic, watched);
      });
      await channel.prefetch(1);
      for (let partition = 0; partition < partitions; partition++) await this.#wait(topic, partition, watched, channel);
      // Something may have come while nobody listened.
      this.came(topic);
    } catch {
      // A topic that is not there yet, or a server that is away.
      if (!watched.channel) this.#later(topic, watched);
    }
  }

  #later(topic: string, watched: Watched): void {
    if (this.#watched.get(topic) !== watched || !this.#line || watched.cancel) return;
    const again = (): void => {
      watched.cancel = undefined;
      void this.#attach(topic, watched);
    };
    watched.cancel = this.#parts.platform.clock.after(againMs, again, true);
  }

  /** Waits for one message at the end of a stream, and after a rest for the next. */
  async #wait(topic: string, partition: number, watched: Watched, channel: Channel): Promise<void> {
    const { prefix, platform } = this.#parts;
    let came = false;
    const { consumerTag } = await channel.consume(queueOf(prefix, topic, partition), (message) => {
      // The queue is deleted, or its server leaves: all of it is begun anew.
      if (!message) return dropChannel(channel);
      if (came) return;
      came = true;
      this.came(topic, partition);
      // Acknowledged later, so that no other comes by it.
      const again = (): void => {
        if (watched.channel !== channel) return;
        // A consumer at the end costs the server more than the message does, and readers that are sent what comes need none.
        if (this.#parts.hears(topic, partition)) return void platform.clock.after(heardMs, again, true);
        // Only this one: the channel waits for other partitions too, whose messages may have come before it.
        channel.ack(message);
        void this.#anew(topic, partition, watched, channel, consumerTag);
      };
      platform.clock.after(this.#parts.isRead(topic, partition) ? restMs : unreadMs, again, true);
    }, offsetArguments("next")); // prettier-ignore
  }

  async #anew(
    topic: string,
    partition: number,
    watched: Watched,
    channel: Channel,
    consumerTag: string,
  ): Promise<void> {
    try {
      await endConsumer(channel, consumerTag);
      await this.#wait(topic, partition, watched, channel);
      this.came(topic, partition);
    } catch {
      // The channel is closed, and begun anew.
    }
  }
}
