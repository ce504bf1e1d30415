import type { ConsumeMessage } from "amqplib";
import type { ReadLimits } from "../../ports/topics.ts";
import { unreachable } from "./failure.ts";
import type { Clock } from "../../platform/clock.ts";
import { aheadOf, Feed, type Taker } from "./feed.ts";
import type { Known } from "./known.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";

/** Most events that are held ready for a reader. */
const aheadMax = 1000;
/** What is known to be stored is waited for so long until the server is asked for it, in milliseconds. */
const deliveryMs = 20;
/** A consumer that nobody has used for so long is closed, in milliseconds. */
const keptMs = 40_000;

/** What a cursor found. */
export interface Stretch<Entry> {
  readonly entries: Entry[];
  readonly next: number;
  /** Positions that retention has taken, from the asked one on. */
  readonly lost: number;
  /** Whether nothing stood behind it, looked at during this call. */
  readonly end: boolean;
}

/** What a cursor needs of whoever reads. */
export interface CursorParts<Entry> {
  readonly link: Link;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly queue: string;
  readonly decode: (message: ConsumeMessage, position: number) => Entry;
  /** What stands at a place that the server uses itself; `before` is the message that comes behind it. */
  readonly gap: (position: number, before: ConsumeMessage) => Entry;
  /** The first position that is left. */
  readonly first: () => Promise<number>;
  /** What is known to be in the stream: all of it is waited for. */
  readonly known?: Known;
  /** Something came while nobody waited for it. */
  readonly came?: (offset: number) => void;
}

interface Held {
  readonly message: ConsumeMessage;
  readonly offset: number;
}

/** How far a stream reaches: to an offset, and to an event of this process. */
interface Reach {
  readonly offset: number;
  readonly own: number;
}

/** Reads one stream in order, ahead of whoever asks, by a consumer that stays attached. For one caller at a time. */
export class Cursor<Entry> {
  readonly #parts: CursorParts<Entry>;
  /** Position of what comes next. */
  next: number;
  usedAtMs: number;
  #feed: Feed | undefined;
  #buffer: Held[] = [];
  #head = 0;
  #bytes = 0;
  #failure: Error | undefined;
  #broken = false;
  #reading = false;
  /** Whether all that was there at some time since the consumer began was delivered: what comes since then is new. */
  #isCurrent = false;
  /** How far it was delivered; or was looked for and is not before `next`. */
  readonly #reach = { offset: -1, own: 0 };
  #settling: Promise<"more" | "end"> | undefined;
  #wake: (() => void) | undefined;
  /** So many are acknowledged at once. */
  readonly #ackEvery: number;

  constructor(parts: CursorParts<Entry>, position: number) {
    this.#parts = parts;
    this.#ackEvery = aheadOf(parts.settings) / 4;
    this.next = position;
    this.usedAtMs = parts.clock.monotonic();
  }

  /** Whether it can be read on. */
  get usable(): boolean {
    return !this.#broken && this.#parts.clock.monotonic() - this.usedAtMs < keptMs;
  }

  /** Whether it has read all, is sent what comes, and tells of it. */
  get hears(): boolean {
    return this.#isCurrent && this.#size === 0 && !this.#broken;
  }

  /** Reads on. Throws TIDINGS_RECORD_CORRUPT, TIDINGS_UNREACHABLE, and what the server refuses with. */
  async read(limits: ReadLimits): Promise<Stretch<Entry>> {
    this.#reading = true;
    try {
      await this.#fill(limits);
      const asked = this.next;
      const entries = await this.#gaps(limits.events);
      const lost = this.next - asked - entries.length;
      let bytes = 0;
      while (this.#size > 0) {
        const { message, offset } = this.#buffer[this.#head] as Held;
        const size = sizeOf(message);
        // A gap is looked at at the beginning of a page only.
        if (offset !== this.next) break;
        if (entries.length > 0 && (entries.length >= limits.events || bytes + size > limits.bytes)) break;
        const entry = this.#decoded(message, offset, entries.length > 0);
        if (entry === undefined) break;
        entries.push(entry);
        bytes += size;
        this.#take(size);
        this.next = offset + 1;
      }
      this.#refill();
      return { entries, next: this.next, lost, end: this.hears && this.#has(this.#known()) };
    } finally {
      this.#reading = false;
      this.usedAtMs = this.#parts.clock.monotonic();
    }
  }

  /** Lets go of the consumer. */
  close(): void {
    this.#broken = true;
    this.#feed?.close();
    this.#wake?.();
  }

  get #size(): number {
    return this.#buffer.length - this.#head;
  }

  /** Gets so much as a page may have, unless there is no more; of what is new, all that is known to be stored. */
  async #fill({ events, bytes }: ReadLimits): Promise<void> {
    const { settings, link } = this.#parts;
    if (this.#broken) throw this.#failure ?? unreachable(settings.address, "a reader was cut off");
    const known = this.#known();
    const isEnough = (): boolean => {
      if (this.#size === 0) return false;
      if (this.#isCurrent && this.#has(known)) return true;
      return this.#size >= Math.min(events, aheadMax) || this.#bytes >= Math.min(bytes, settings.windowBytesMax);
    };
    if (isEnough()) return;
    this.#feed ??= await this.#begin();
    const feed = this.#feed;
    // Who is sent all that comes need not ask for what is on its way.
    if (this.#isCurrent && !this.#has(known)) await this.#soon(isEnough);
    let own: Promise<"more" | "end"> | undefined;
    while (!this.#broken && !isEnough()) {
      // What an earlier call has asked may have been answered before something was stored.
      if (!own && this.#settling) {
        await link.bounded(Promise.race([this.#settling, this.#news()]));
        continue;
      }
      own ??= this.#settled(feed);
      const came = await link.bounded(Promise.race([own, this.#news()]));
      if (came === "end") break;
      if (came === "more") own = undefined;
    }
    if (this.#broken && this.#size === 0) throw this.#failure ?? unreachable(settings.address, "a reader was cut off");
  }

  /** Waits a little for what is to be delivered. */
  async #soon(isEnough: () => boolean): Promise<void> {
    let over = false;
    const cancel = this.#parts.clock.after(deliveryMs, () => {
      over = true;
      this.#wake?.();
    });
    while (!over && !this.#broken && !isEnough()) await this.#news();
    cancel();
  }

  /** What this process knows to be in the stream. */
  #known(): Reach {
    const { known, queue } = this.#parts;
    return { offset: known?.offset(queue) ?? -1, own: known?.own(queue) ?? 0 };
  }

  #has({ offset, own }: Reach): boolean {
    return this.#reach.offset >= offset && this.#reach.own >= own;
  }

  #reached(offset: number, own: number): void {
    if (offset > this.#reach.offset) this.#reach.offset = offset;
    if (own > this.#reach.own) this.#reach.own = own;
  }

  /** Asks whether what was there is delivered: all of it, or more came meanwhile. */
  #settled(feed: Feed): Promise<"more" | "end"> {
    const known = this.#known();
    // While something comes it is not sent what comes, but what was there: asked again and again, a server gets nothing else done.
    const settling = feed.settled().then(({ came }) => {
      if (came) return "more";
      this.#isCurrent = true;
      this.#reached(known.offset, known.own);
      return "end";
    });
    const over = (): void => {
      this.#settling = undefined;
    };
    settling.then(over, over);
    return (this.#settling = settling);
  }

  /** Resolves when something is delivered, or the consumer is lost. */
  #news(): Promise<"news"> {
    return new Promise((resolve) => (this.#wake = () => resolve("news")));
  }

  #begin(): Promise<Feed> {
    const { link, queue, settings } = this.#parts;
    const taker: Taker = {
      delivered: (message, offset) => this.#delivered(message, offset),
      lost: (error) => {
        this.#failure = error;
        this.#broken = true;
        this.#wake?.();
      },
    };
    return link.ask((model) => Feed.open(model, queue, this.next, taker, aheadOf(settings)));
  }

  /** What stands before the first message that is there: gone by retention, or used by the server itself. */
  async #gaps(eventsMax: number): Promise<Entry[]> {
    const held = this.#buffer[this.#head];
    if (!held || held.offset <= this.next) return [];
    const first = await this.#parts.first();
    this.next = Math.min(Math.max(first, this.next), held.offset);
    const entries: Entry[] = [];
    while (this.next < held.offset && entries.length < eventsMax)
      entries.push(this.#parts.gap(this.next++, held.message));
    return entries;
  }

  #decoded(message: ConsumeMessage, offset: number, later: boolean): Entry | undefined {
    try {
      return this.#parts.decode(message, offset);
    } catch (error) {
      // What stands before it is served first.
      if (later) return undefined;
      throw error;
    }
  }

  #delivered(message: ConsumeMessage, offset: number): void {
    const idle = this.#size === 0 && !this.#reading;
    const { known, queue } = this.#parts;
    this.#reached(offset, known?.numberOf(queue, message) ?? 0);
    // The server begins with a whole chunk, and behind the end with what is new.
    if (offset >= this.next) {
      this.#buffer.push({ message, offset });
      this.#bytes += sizeOf(message);
    }
    this.#refill();
    this.#wake?.();
    if (idle) this.#parts.came?.(offset);
  }

  /** Has the server send on, unless enough is held. */
  #refill(): void {
    if (this.#size < aheadMax && this.#bytes < this.#parts.settings.windowBytesMax) this.#feed?.more(this.#ackEvery);
  }

  #take(size: number): void {
    this.#head++;
    this.#bytes -= size;
    if (this.#head < 256 && this.#size > 0) return;
    this.#buffer = this.#buffer.slice(this.#head);
    this.#head = 0;
  }
}

/** What a message counts for: its payload and about what its headers have. */
export function sizeOf({ content }: ConsumeMessage): number {
  return content.length + 256;
}
