import type { ConfirmChannel, ConsumeMessage, Message } from "amqplib";
import { isTidingsError } from "../../errors/tidings-error.ts";
import type { CancelTimer, Clock } from "../../platform/clock.ts";
import { unknownOutcome } from "../broker/rejections.ts";
import type { Item } from "./item.ts";
import { dropChannel, openConfirmChannel } from "./client.ts";
import { describeFailure, failureKind, gone, toTidingsError } from "./failure.ts";
import { aheadOfNone, Feed, headerOf, type Taker } from "./feed.ts";
import type { Line } from "./link.ts";
import type { Settings } from "./options.ts";

/** What lanes share. */
export interface LaneHost {
  readonly clock: Clock;
  readonly settings: Settings;
  line(): Line | undefined;
  /** An offset that the stream had, if any was seen. */
  known(queue: string): number | undefined;
  /** A message was read back. */
  seen(queue: string, offset: number): void;
  /** An event of ours is there, or is not there and will not be. */
  settled(item: Item, offset: number | undefined): void;
  /** The connection gets nothing done. */
  stuck(line: Line): void;
}

/** How long a server that says nothing else may take to store what was sent, in milliseconds. */
const patienceMs = 10_000;
/** A lane that nobody uses is closed after so long, in milliseconds. */
const idleMs = 15_000;
const pauseMsMin = 20;
const pauseMsMax = 1000;

/**
 * The events of one partition on their way, in the order of the calls. They are sent one behind the other on one channel, and
 * acknowledged when they are read back from the stream, which also tells their position. When the channel is lost, nothing is
 * sent until the stream was read to its end: what is not there goes again, in order. Nothing of the lost connection can come
 * later, since a new one is used only when the server has ended that (see `fenceOf`).
 */
export class Lane {
  readonly queue: string;
  readonly #host: LaneHost;
  #waiting: Item[] = [];
  #head = 0;
  #flight: Item[] = [];
  #flightBytes = 0;
  #channel: ConfirmChannel | undefined;
  #feed: Feed | undefined;
  #opening = false;
  /** The last offset that was seen here. */
  #last: number | undefined;
  #failure: Error | undefined;
  #paused: CancelTimer | undefined;
  #pauseMs = pauseMsMin;
  #progressAtMs = 0;

  constructor(queue: string, host: LaneHost) {
    this.queue = queue;
    this.#host = host;
  }

  get idle(): boolean {
    return this.#flight.length === 0 && this.#head >= this.#waiting.length;
  }

  push(item: Item): void {
    this.#waiting.push(item);
  }

  /** Sends as much as may be under way. */
  pump(): void {
    const line = this.#host.line();
    if (!line || line.blocked !== undefined || this.#paused || this.idle) return;
    if (!this.#channel) {
      if (!this.#opening) void this.#open(line);
      return;
    }
    const { windowEventsMax, windowBytesMax } = this.#host.settings;
    while (this.#head < this.#waiting.length && this.#flight.length < windowEventsMax && this.#flightBytes < windowBytesMax) {
      const item = this.#waiting[this.#head++] as Item;
      if (item.over) this.#dropped(item);
      else this.#send(this.#channel, item);
      if (!this.#channel) return;
    } // prettier-ignore
    if (this.#head > 1024 || this.#head >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The connection is gone. */
  down(): void {
    this.#lost();
  }

  /** Looks for what takes too long, and lets go of a channel that nobody uses. */
  tick(nowMs: number): void {
    const line = this.#host.line();
    const sinceMs = nowMs - this.#progressAtMs;
    if (this.#flight.length > 0 && this.#channel && line && line.blocked === undefined && sinceMs > patienceMs)
      this.#host.stuck(line);
    else if (this.idle && this.#channel && sinceMs > idleMs) this.#lost();
    else if (this.#flight.length === 0 && this.#waiting[this.#head]?.over) this.#sweep();
  }

  /** Whether it holds a channel, so that it wants to be looked at now and then. */
  get open(): boolean {
    return this.#channel !== undefined;
  }

  async #open(line: Line): Promise<void> {
    this.#opening = true;
    let channel: ConfirmChannel | undefined;
    let failure: unknown;
    let feed: Feed | undefined;
    try {
      channel = await openConfirmChannel(line.model);
      const made = channel;
      channel.on("return", (message) => this.#returned(message));
      channel.on("error", (error) => (this.#failure = error));
      channel.on("close", () => this.#channel === made && this.#lost());
      // What is in flight may be there, behind the last that was seen; that one comes again and shows that reading works.
      this.#last ??= this.#host.known(this.queue);
      const from = this.#last ?? (this.#flight.length > 0 ? "first" : "last");
      const taker: Taker = {
        delivered: (message, offset, by) => this.#delivered(message, offset, by),
        lost: () => this.#channel === made && this.#lost(),
      };
      feed = await Feed.on(channel, this.queue, from, taker, aheadOfNone);
      this.#feed = feed;
      do feed.more(1);
      while (await feed.settled());
      if (this.#flight.length > 0 && typeof from === "number" && feed.received === 0)
        throw new Error("channel closed: the stream could not be read");
    } catch (error) {
      failure = this.#failure ?? error;
    }
    this.#opening = false;
    this.#failure = undefined;
    if (failure === undefined && this.#host.line() === line && feed && channel) {
      this.#channel = channel;
      this.#again();
      this.#pauseMs = pauseMsMin;
      this.#progressAtMs = this.#host.clock.monotonic();
    } else {
      this.#feed = undefined;
      if (feed) feed.close();
      else if (channel) dropChannel(channel);
      if (failure !== undefined) this.#refused(failure);
    }
    this.pump();
  }

  #send(channel: ConfirmChannel, item: Item): void {
    const { headers, contentType, data, bytes } = item.draft;
    if (this.#flight.length === 0) this.#progressAtMs = this.#host.clock.monotonic();
    item.isFlying = true;
    for (const { call } of item.owners) call.sent = true;
    this.#flight.push(item);
    this.#flightBytes += bytes;
    const options = {
      headers: { ...headers, "tidings-by": item.token },
      mandatory: true,
      persistent: true,
      ...(contentType === undefined ? {} : { contentType }),
    };
    try {
      // The default exchange brings it to the queue of that name.
      channel.publish("", this.queue, data, options, (error: unknown) => {
        if (error && /nacked/.test(String((error as Error).message))) this.#drop(item, unknownOutcome(this.#host.settings.address, "the server could not store it")); // prettier-ignore
      });
    } catch {
      // The channel is being closed, and that is told of.
    }
  }

  /** Something stands in the stream, of ours or of others. */
  #delivered(message: ConsumeMessage, offset: number, feed: Feed): void {
    feed.more(16);
    if (this.#last !== undefined && offset < this.#last) return;
    this.#last = offset;
    this.#host.seen(this.queue, offset);
    const token = headerOf(message, "tidings-by");
    if (token === undefined) return;
    const at = this.#flight[0]?.token === token ? 0 : this.#flight.findIndex((item) => item.token === token);
    if (at < 0) return;
    const landed = this.#flight.splice(0, at + 1);
    const item = landed.pop() as Item;
    // The channel is in order: what stood before it was dropped by the server, and may not come behind it.
    for (const missing of landed)
      this.#failed(missing, unknownOutcome(this.#host.settings.address, "it was passed over"));
    this.#flightBytes -= item.draft.bytes;
    this.#progressAtMs = this.#host.clock.monotonic();
    item.isFlying = false;
    item.stored(offset);
    this.#host.settled(item, offset);
    this.pump();
  }

  /** No queue took it. */
  #returned(message: Message): void {
    const token = headerOf(message, "tidings-by");
    const item = this.#flight.find((each) => each.token === token);
    if (item) this.#drop(item, gone(this.queue, this.#host.settings.address));
  }

  #drop(item: Item, error: Error): void {
    const at = this.#flight.indexOf(item);
    if (at < 0) return;
    this.#flight.splice(at, 1);
    this.#failed(item, error);
    this.pump();
  }

  #failed(item: Item, error: Error): void {
    this.#flightBytes -= item.draft.bytes;
    item.isFlying = false;
    item.failed(error);
    this.#host.settled(item, undefined);
  }

  /** The stream was read to its end: what is still in flight is not there. */
  #again(): void {
    if (this.#flight.length === 0) return;
    for (const item of this.#flight) item.isFlying = false;
    this.#waiting = [...this.#flight, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    this.#flight = [];
    this.#flightBytes = 0;
  }

  /** The channel is gone: the next one begins with looking at what was stored. */
  #lost(): void {
    const failure = this.#failure;
    const feed = this.#feed;
    this.#channel = undefined;
    this.#feed = undefined;
    this.#failure = undefined;
    feed?.close();
    if (failure) this.#refused(failure);
    else this.#pause();
  }

  /** The server said no. What it says of one event is that one's; all else is everybody's who waits. */
  #refused(error: unknown): void {
    const { address } = this.#host.settings;
    const kind = failureKind(error);
    if (kind === "too-large") {
      const item = this.#flight.reduce<Item | undefined>((largest, each) => (each.draft.bytes > (largest?.draft.bytes ?? 0) ? each : largest), undefined); // prettier-ignore
      if (item) this.#drop(item, toTidingsError(error, address));
    } else if (kind !== "away" && kind !== "other" && kind !== "locked") {
      const why = kind === "absent" ? gone(this.queue, address) : toTidingsError(error, `${address} (${this.queue})`);
      const known = isTidingsError(why) ? why : unknownOutcome(address, describeFailure(error));
      for (const item of this.#flight.splice(0)) this.#failed(item, unknownOutcome(address, known.message));
      for (const item of this.#waiting.splice(0).slice(this.#head)) {
        item.failed(known);
        this.#host.settled(item, undefined);
      }
      this.#head = 0;
    }
    this.#pause();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
    this.#paused = this.#host.clock.after(this.#pauseMs, () => {
      this.#paused = undefined;
      this.pump();
    });
  }

  #dropped(item: Item): void {
    item.dropped();
    this.#host.settled(item, undefined);
  }

  /** Drops what was given up before it was sent. */
  #sweep(): void {
    const left: Item[] = [];
    for (const item of this.#waiting.slice(this.#head)) {
      if (item.over) this.#dropped(item);
      else left.push(item);
    }
    this.#waiting = left;
    this.#head = 0;
  }
}
