import type { Channel, ConfirmChannel, ConsumeMessage, Message } from "amqplib";
import { isTidingsError } from "../../errors/tidings-error.ts";
import type { CancelTimer, Clock } from "../../platform/clock.ts";
import { unknownOutcome } from "../broker/rejections.ts";
import { Row } from "../broker/row.ts";
import type { Item } from "./item.ts";
import { dropChannel, isSending, openConfirmChannel, Publishing, publishOn } from "./client.ts";
import { describeFailure, failureKind, gone, toTidingsError } from "./failure.ts";
import { aheadOfNone, Feed, type From } from "./feed.ts";
import type { Known } from "./known.ts";
import type { Line } from "./link.ts";
import type { Settings } from "./options.ts";
import { lastOffset } from "./probe.ts";

/** What lanes share. */
export interface LaneHost {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly known: Known;
  line(): Line | undefined;
  /** An event of ours is there (at -1 when nobody asked where), or is not there and will not be. */
  settled(item: Item, offset: number | undefined): void;
  /** The connection gets nothing done. */
  stuck(line: Line): void;
}

/** How long a server that says nothing else may take to store what was sent, in milliseconds. */
const patienceMs = 10_000;
/** And so much longer for each byte of what it is to store next, which may still be on a slow way to it. */
const wayMsPerByte = 1 / 100;
/** A lane that nobody uses is closed after so long, in milliseconds. */
const idleMs = 15_000;
/** While events are sent, how often to look how far the stream is, in milliseconds: so much is read when the channel is lost. */
const lookEveryMs = 5000;
const pauseMsMin = 20;
const pauseMsMax = 1000;

/**
 * The events of one partition on their way, in the order of the calls. They are sent one behind the other on one channel, and
 * acknowledged when the server confirms them; those whose position is asked for when they are read back from the stream, since
 * nothing else tells it. When the channel is lost, nothing is sent until the stream was read to its end, from where it was
 * before the first event that was not confirmed: what is not there goes again, in order. Nothing of the lost connection can
 * come later, since a new one is used only when the server has ended that (see `fenceOf`).
 */
export class Lane {
  readonly queue: string;
  readonly #host: LaneHost;
  #waiting: Item[] = [];
  #head = 0;
  /** What was sent and is not answered, in the order in which it was sent. */
  readonly #flight = new Row<Item>();
  #flightBytes = 0;
  #channel: ConfirmChannel | undefined;
  /** Reads back what was sent, while positions are asked for. */
  #feed: Feed | undefined;
  #opening = false;
  /** Resolves when the server has done what stood before the end of the channel that was given up. */
  #closing: Promise<void> | undefined;
  #looking = false;
  #lookedAtMs = 0;
  #placedAtMs = 0;
  #failure: Error | undefined;
  #paused: CancelTimer | undefined;
  #pauseMs = pauseMsMin;
  #progressAtMs = 0;

  constructor(queue: string, host: LaneHost) {
    this.queue = queue;
    this.#host = host;
    host.known.writes(queue);
  }

  get idle(): boolean {
    return this.#flight.size === 0 && this.#head >= this.#waiting.length;
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
    while (this.#head < this.#waiting.length && this.#flight.size < windowEventsMax && this.#flightBytes < windowBytesMax) {
      const item = this.#waiting[this.#head] as Item;
      // Whoever reads it back is there before it.
      if (item.placed && !this.#feed && !item.over) return this.#listen(line);
      this.#head++;
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

  /** Looks for what takes too long, and lets go of what nobody uses. */
  tick(nowMs: number): void {
    const line = this.#host.line();
    // A way that is full is looked after by heartbeats.
    if (this.#flight.size > 0 && line && isSending(line.model)) this.#progressAtMs = nowMs;
    const sinceMs = nowMs - this.#progressAtMs;
    if (this.#flight.size === 0 && this.#waiting[this.#head]?.over) this.#sweep();
    if (!this.#channel || !line) return;
    if (this.#flight.size > 0 && line.blocked === undefined && sinceMs > this.#patienceMs())
      return this.#host.stuck(line);
    if (this.idle && sinceMs > idleMs) return this.#lost();
    if (this.idle && this.#feed && nowMs - this.#placedAtMs > idleMs) {
      this.#feed.close();
      this.#feed = undefined;
    }
    if (!this.#looking && nowMs - this.#lookedAtMs > lookEveryMs && this.#progressAtMs > this.#lookedAtMs)
      this.#look(line).catch(() => undefined);
  }

  #patienceMs(): number {
    return patienceMs + (this.#flight.first?.draft.bytes ?? 0) * wayMsPerByte;
  }

  /** Whether it holds a channel, so that it wants to be looked at now and then. */
  get open(): boolean {
    return this.#channel !== undefined;
  }

  async #open(line: Line): Promise<void> {
    this.#opening = true;
    let channel: ConfirmChannel | undefined;
    let failure: unknown;
    try {
      await this.#closing;
      channel = await openConfirmChannel(line.model);
      const made = channel;
      channel.on("return", (message) => this.#returned(message));
      channel.on("error", (error) => (this.#failure = error));
      channel.on("close", () => this.#channel === made && this.#lost());
      if (this.#flight.size > 0) await this.#find(line);
      else await this.#look(line);
    } catch (error) {
      failure = this.#failure ?? error;
    }
    this.#opening = false;
    this.#failure = undefined;
    if (failure === undefined && this.#host.line() === line && channel) {
      this.#channel = channel;
      this.#again();
      this.#pauseMs = pauseMsMin;
      this.#progressAtMs = this.#host.clock.monotonic();
    } else {
      if (channel) dropChannel(channel);
      if (failure !== undefined) this.#refused(failure);
    }
    this.pump();
  }

  /** Notes how far the stream is at least, so that what is sent from now on need not be looked for before that. */
  async #look(line: Line): Promise<void> {
    this.#looking = true;
    this.#lookedAtMs = this.#host.clock.monotonic();
    try {
      const offset = await lastOffset(line.model, this.queue);
      if (offset !== undefined) this.#host.known.seen(this.queue, offset);
    } finally {
      this.#looking = false;
    }
  }

  /** Finds out which of the events whose confirms were lost are there. */
  async #find(line: Line): Promise<void> {
    const from = this.#flight.first?.floor ?? "first";
    const feed = await this.#read(line, from, () => undefined);
    feed.close();
    // What stood there comes again, and shows that reading works.
    if (typeof from === "number" && feed.received === 0)
      throw new Error("channel closed: the stream could not be read");
  }

  /** Begins to read back what is sent. What was sent before must be answered, since it may stand before what is read. */
  #listen(line: Line): void {
    if (this.#opening || this.#flight.size > 0) return;
    this.#opening = true;
    const channel = this.#channel;
    let lost = false;
    const over = (): void => {
      lost = true;
      if (channel && this.#channel === channel) this.#lost();
    };
    this.#read(line, this.#host.known.offset(this.queue) ?? "last", over).then(
      (feed) => {
        this.#opening = false;
        this.#placedAtMs = this.#host.clock.monotonic();
        if (!lost && this.#channel === channel) this.#feed = feed;
        else feed.close();
        this.pump();
      },
      (error: unknown) => {
        this.#opening = false;
        if (channel && this.#channel === channel) {
          this.#failure ??= error as Error;
          this.#lost();
        }
        // It may have been lost before, and be there again.
        this.pump();
      },
    );
  }

  /** Reads a stream to where it ends now, and then what comes. */
  async #read(line: Line, from: From, lost: () => void): Promise<Feed> {
    const delivered = (message: ConsumeMessage, offset: number, by: Feed): void => this.#delivered(message, offset, by);
    const feed = await Feed.open(line.model, this.queue, from, { delivered, lost }, aheadOfNone);
    try {
      await feed.toEnd();
      return feed;
    } catch (error) {
      feed.close();
      throw error;
    }
  }

  #send(channel: ConfirmChannel, item: Item): void {
    const { headers, contentType, data, bytes } = item.draft;
    const nowMs = this.#host.clock.monotonic();
    if (this.#flight.size === 0) this.#progressAtMs = nowMs;
    if (item.placed) this.#placedAtMs = nowMs;
    item.isFlying = true;
    item.floor = this.#host.known.offset(this.queue);
    for (const { call } of item.owners) call.sent = true;
    item.number = this.#flight.add(item);
    this.#flightBytes += bytes;
    const publishing = new Publishing(this.queue, headers, this.#host.known.markOf(item.number), contentType);
    try {
      // The default exchange brings it to the queue of that name.
      publishOn(channel, publishing, data, (error) => this.#confirmed(item, error));
    } catch {
      // The channel is being closed, and that is told of.
    }
  }

  /** The server has stored it, or says that it has not. When the channel is lost it says nothing. */
  #confirmed(item: Item, error: unknown): void {
    if (this.#flight.get(item.number) !== item) return;
    if (!error) return item.placed ? undefined : this.#landed(item, -1);
    if (!/nacked/.test(String((error as Error).message))) return;
    this.#drop(item, unknownOutcome(this.#host.settings.address, "the server could not store it"));
  }

  /** Something stands in the stream, of ours or of others. */
  #delivered(message: ConsumeMessage, offset: number, feed: Feed): void {
    feed.more(aheadOfNone / 4);
    this.#host.known.seen(this.queue, offset);
    const item = this.#flight.get(this.#host.known.numberOf(this.queue, message) ?? 0);
    if (!item) return;
    // The channel is in order: what stood before it was dropped by the server, and may not come behind it.
    for (let missing = this.#flight.first; missing && missing !== item; missing = this.#flight.first) {
      this.#flight.delete(missing.number);
      this.#failed(missing, unknownOutcome(this.#host.settings.address, "it was passed over"));
    }
    this.#landed(item, offset);
  }

  #landed(item: Item, offset: number): void {
    this.#flight.delete(item.number);
    this.#flightBytes -= item.draft.bytes;
    this.#progressAtMs = this.#host.clock.monotonic();
    item.isFlying = false;
    this.#host.known.stored(this.queue, item.number);
    item.stored(offset);
    this.#host.settled(item, offset);
    this.pump();
  }

  /** No queue took it. */
  #returned(message: Message): void {
    const item = this.#flight.get(this.#host.known.numberOf(this.queue, message) ?? 0);
    if (item) this.#drop(item, gone(this.queue, this.#host.settings.address));
  }

  #drop(item: Item, error: Error): void {
    if (this.#flight.get(item.number) !== item || !this.#flight.delete(item.number)) return;
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
    if (this.#flight.size === 0) return;
    for (const item of this.#flight.values()) item.isFlying = false;
    this.#waiting = [...this.#flight.values(), ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    this.#flight.clear();
    this.#flightBytes = 0;
  }

  /** The channel is gone: the next one begins with looking at what was stored. */
  #lost(): void {
    const failure = this.#failure;
    this.#closing = this.#channel && closed(this.#channel);
    this.#channel = undefined;
    this.#feed?.close();
    this.#feed = undefined;
    this.#failure = undefined;
    if (failure) this.#refused(failure);
    else this.#pause();
  }

  /** The server said no. What it says of one event is that one's; all else is everybody's who waits. */
  #refused(error: unknown): void {
    const { address } = this.#host.settings;
    const kind = failureKind(error);
    if (kind === "too-large") {
      const item = Array.from(this.#flight.values()).reduce<Item | undefined>((largest, each) => (each.draft.bytes > (largest?.draft.bytes ?? 0) ? each : largest), undefined); // prettier-ignore
      if (item) this.#drop(item, toTidingsError(error, address));
    } else if (kind !== "away" && kind !== "other" && kind !== "locked") {
      const why = kind === "absent" ? gone(this.queue, address) : toTidingsError(error, `${address} (${this.queue})`);
      const known = isTidingsError(why) ? why : unknownOutcome(address, describeFailure(error));
      const flight = Array.from(this.#flight.values());
      this.#flight.clear();
      for (const item of flight) this.#failed(item, unknownOutcome(address, known.message));
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

/** Closes a channel; resolves when the server says that it is, or the connection is gone: the client's own promise never does then. */
function closed(channel: Channel): Promise<void> {
  return new Promise((resolve) => {
    channel.once("close", resolve);
    // It may be closed already.
    try {
      channel.close().then(resolve, resolve);
    } catch {
      resolve();
    }
  });
}
