import type { ChannelModel, ConsumeMessage } from "amqplib";
import type { Bounds } from "../../ports/topics.ts";
import { openChannel } from "./client.ts";
import { Feed, type From, offsetArguments, offsetOf } from "./feed.ts";
import { appendedAt } from "./unwire.ts";

/** The bounds of a stream; `known` is an offset that it had, so that not all of its last chunk has to be sent. */
export async function boundsOf(model: ChannelModel, queue: string, known: number | undefined): Promise<Bounds> {
  const from = known ?? "last";
  const bounds = await look(model, queue, from);
  // What was there is gone: all of it by retention, or with its stream.
  return bounds ?? (known === undefined ? { first: 0, next: 0 } : boundsOf(model, queue, undefined));
}

/** An offset near the end of a stream; undefined when nothing stands in it. */
export async function lastOffset(model: ChannelModel, queue: string): Promise<number | undefined> {
  let found: number | undefined;
  const taker = {
    delivered: (_message: ConsumeMessage, offset: number) => void (found ??= offset),
    lost: () => undefined,
  };
  // The first of the last chunk is enough; without an acknowledgement it is all that is sent.
  const feed = await Feed.open(model, queue, "last", taker, 1);
  try {
    await feed.settled();
    return found;
  } finally {
    feed.close();
  }
}

/** Undefined when nothing stands at that place or behind it. */
async function look(model: ChannelModel, queue: string, from: From): Promise<Bounds | undefined> {
  const channel = await openChannel(model);
  let first: number | undefined;
  let last: number | undefined;
  await channel.prefetch(1);
  const began = (message: ConsumeMessage | null): void => void (first ??= message ? offsetOf(message) : undefined);
  let feed: Feed | undefined;
  try {
    await channel.consume(queue, began, offsetArguments("first"));
    const taker = {
      delivered(_message: ConsumeMessage, offset: number, by: Feed): void {
        last = offset;
        by.more(16);
      },
      lost: () => undefined,
    };
    feed = await Feed.on(channel, queue, from, taker);
    await feed.toEnd();
  } finally {
    if (feed) feed.close();
    else await channel.close().catch(() => undefined);
  }
  return last === undefined ? undefined : { first: first ?? last, next: last + 1 };
}

/** The first position appended at or after the instant; undefined when there is none. */
export async function positionAt(model: ChannelModel, queue: string, timeMs: number): Promise<number | undefined> {
  let found: number | undefined;
  // The server knows the time of chunks, by its own clock and to the second.
  const feed = await Feed.open(model, queue, { timeMs: Math.min(timeMs, farMs) - marginMs }, {
    delivered(message, offset, from) {
      if (found === undefined && appendedAt(message) >= timeMs) found = offset;
      from.more(16);
    },
    lost: () => undefined,
  }); // prettier-ignore
  try {
    await feed.toEnd(() => found !== undefined);
    return found;
  } finally {
    feed.close();
  }
}

/** Clocks of ours and of servers may differ by so much, in milliseconds. */
const marginMs = 2000;
/** No event was appended that late. */
const farMs = Date.UTC(2200, 0, 1);
