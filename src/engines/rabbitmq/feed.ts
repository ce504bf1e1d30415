import type { Channel, ChannelModel, ConsumeMessage, Message } from "amqplib";
import { dropChannel, endConsumer, openChannel } from "./client.ts";
import type { Settings } from "./options.ts";

/** Where a consumer of a stream begins. */
export type From = number | "first" | "last" | "next" | { readonly timeMs: number };

/** Who takes what a consumer is sent. */
export interface Taker {
  delivered(message: ConsumeMessage, offset: number, feed: Feed): void;
  /** The consumer is of no use any more. */
  lost(error: Error | undefined): void;
}

/** How many messages may be on their way to a consumer, and what they may come to where all are as large as can be, in bytes. */
const ahead = { min: 64, max: 512, bytesMax: 256 * 1024 * 1024 };

/** How many messages may be on their way to a consumer that keeps them for somebody: many are cheaper for the server. */
export const aheadOf = ({ eventBytesMax }: Settings): number =>
  Math.min(ahead.max, Math.max(ahead.min, Math.floor(ahead.bytesMax / eventBytesMax)));

/** The same of a consumer that looks at each as it comes, and keeps none. */
export const aheadOfNone = ahead.max;

/** A consumer of one stream, on a channel of its own. */
export class Feed {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #taker: Taker;
  readonly #prefetch: number;
  #last: ConsumeMessage | undefined;
  /** How many it was sent and has not acknowledged. */
  #open = 0;
  #failure: Error | undefined;
  #over = false;
  /** How many it was sent. */
  received = 0;

  private constructor(channel: Channel, queue: string, taker: Taker, prefetch: number) {
    this.#channel = channel;
    this.#queue = queue;
    this.#taker = taker;
    this.#prefetch = prefetch;
    channel.on("error", (error) => (this.#failure = error));
    channel.on("close", () => this.#lost());
  }

  /** Begins to read a stream. */
  static async open(
    model: ChannelModel,
    queue: string,
    from: From,
    taker: Taker,
    prefetch: number = ahead.min,
  ): Promise<Feed> {
    return Feed.on(await openChannel(model), queue, from, taker, prefetch);
  }

  /** The same on a channel that is there already, which is the consumer's from now on. */
  static async on(
    channel: Channel,
    queue: string,
    from: From,
    taker: Taker,
    prefetch: number = ahead.min,
  ): Promise<Feed> {
    const feed = new Feed(channel, queue, taker, prefetch);
    await channel.prefetch(prefetch);
    await channel.consume(queue, (message) => feed.#delivered(message), offsetArguments(from));
    return feed;
  }

  /**
   * Resolves when everything that was committed before the call is delivered, as far as it was acknowledged: with whether something
   * came meanwhile, and whether the server waits for acknowledgements, so that there may be more. The server has no such question, but making a consumer goes through the
   * process that tells all consumers of what is new, and behind what that has told us of already. `ahead` hears of offsets behind
   * all that was there.
   */
  async settled(ahead?: (offset: number) => void): Promise<{ readonly came: boolean; readonly isHeldUp: boolean }> {
    const before = this.received;
    const acknowledged = this.received - this.#open;
    const taken = (message: ConsumeMessage | null): void => void (message && ahead?.(offsetOf(message)));
    const { consumerTag } = await this.#channel.consume(this.#queue, taken, offsetArguments("next"));
    const isHeldUp = this.received - acknowledged >= this.#prefetch;
    await endConsumer(this.#channel, consumerTag);
    return { came: this.received > before, isHeldUp };
  }

  /** Reads to where the stream ended at the call, or until there is enough. Who asks for it keeps nothing. */
  async toEnd(enough: () => boolean = () => false): Promise<void> {
    let end = Infinity;
    const reached = (): boolean => this.#last !== undefined && offsetOf(this.#last) >= end - 1;
    // What came while it was made could not be acknowledged yet.
    do this.more(1);
    while (
      // Whether something came says nothing here: of a stream that is written to all the time, something always does.
      (await this.settled((offset) => (end = Math.min(end, offset)))).isHeldUp &&
      !reached() &&
      !enough()
    );
  }

  /** Lets the server send on: all that was delivered is taken. */
  more(atLeast: number): void {
    if (this.#open < atLeast || this.#over || !this.#last) return;
    this.#open = 0;
    try {
      this.#channel.ack(this.#last, true);
    } catch {
      // It is being closed, and the taker is told.
    }
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    dropChannel(this.#channel);
  }

  #delivered(message: ConsumeMessage | null): void {
    if (this.#over) return;
    // The server says so when the queue is deleted, or its server leaves.
    if (!message) {
      this.#failure = new Error("the consumer was cancelled; channel closed");
      this.#lost();
      return dropChannel(this.#channel);
    }
    this.#last = message;
    this.#open++;
    this.received++;
    this.#taker.delivered(message, offsetOf(message), this);
  }

  #lost(): void {
    if (this.#over) return;
    this.#over = true;
    this.#taker.lost(this.#failure);
  }
}

/** The place of a message in its stream. */
export function offsetOf(message: ConsumeMessage): number {
  return Number(headerOf(message, "x-stream-offset"));
}

/** A header of a message, whatever it holds. */
export function headerOf({ properties }: Message, name: string): unknown {
  const headers: Readonly<Record<string, unknown>> | undefined = properties.headers;
  return headers?.[name];
}

export function offsetArguments(from: From): { arguments: { "x-stream-offset": unknown } } {
  const offset = typeof from === "object" ? { "!": "timestamp", value: Math.max(0, Math.floor(from.timeMs / 1000)) } : from; // prettier-ignore
  return { arguments: { "x-stream-offset": offset } };
}
