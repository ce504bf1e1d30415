import type { StoredRecord } from "../../event/record.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ReadLimits } from "../../ports/topics.ts";
import { type Consumers, consumerKeptMs, type Delivered } from "./consumer.ts";
import { unreachable } from "./failure.ts";
import { bytesOf } from "./headers.ts";
import type { Settings } from "./options.ts";

/** A pull that nothing came of for so long is given up, in milliseconds. */
const silenceMs = 3000;
const batchMin = 16;
const batchMax = 1000;
const batchFirst = 64;
/** Waiting at the end: for so many events, and for so long before it is asked for again, in milliseconds. */
const standing = { batch: 64, waitMs: 30_000 };
/** How long the server may take for what it has, in milliseconds. */
const knownMs = 10_000;
/** What an event is taken to have before one was seen, in bytes. */
const eventBytesGuess = 4096;

/** What a cursor found. */
export interface Stretch {
  readonly records: StoredRecord[];
  readonly next: number;
  /** Positions that are gone, from the asked one on. */
  readonly lost: number;
  /** Whether nothing stood behind it, looked at during this call, or the cursor is sent what comes. */
  readonly end: boolean;
}

export interface CursorParts {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly consumers: Consumers;
  readonly stream: string;
  readonly decode: (delivered: Delivered) => StoredRecord;
  /** Something came while the cursor waited at the end of the stream. */
  readonly came: () => void;
}

/**
 * Reads one partition in order, ahead of whoever asks, by a consumer of the server's. At the end it leaves a pull with the server
 * and so is sent what comes, with no further question. For one caller at a time.
 */
export class Cursor {
  readonly #parts: CursorParts;
  /** Position of what comes next. */
  next: number;
  usedAtMs: number;
  #name: string | undefined;
  #buffer: Delivered[] = [];
  #head = 0;
  #bufferBytes = 0;
  /** How many of the pull under way are still to come; 0 when there is none. */
  #coming = 0;
  /** Whether the pull under way waits for what does not exist yet. */
  #stands = false;
  #pending = 0;
  #pulls = 0;
  #count = 0;
  #reads = 0;
  #endedPull = 0;
  #eventBytes = eventBytesGuess;
  #broken = false;
  #wake: (() => void) | undefined;

  constructor(parts: CursorParts, position: number) {
    this.#parts = parts;
    this.next = position;
    this.usedAtMs = parts.clock.monotonic();
  }

  /** Whether the server still knows it. */
  get usable(): boolean {
    return !this.#broken && this.#parts.clock.monotonic() - this.usedAtMs < consumerKeptMs;
  }

  /** Whether it is sent what comes to the end of the stream, and tells of it. */
  get hears(): boolean {
    return this.#stands && this.#coming > 0 && this.#pending === 0 && !this.#broken;
  }

  /** Reads on; waits for what is on its way when there is known to be more. Throws TIDINGS_RECORD_CORRUPT, TIDINGS_UNREACHABLE. */
  async read(limits: ReadLimits, isMore: boolean): Promise<Stretch> {
    const asked = this.next;
    const before = this.#pulls;
    this.#name ??= await this.#begin();
    if (this.#size === 0 && (isMore || !this.hears)) await this.#fill(limits);
    const records: StoredRecord[] = [];
    let [bytes, lost] = [0, 0];
    while (this.#size > 0) {
      const delivered = this.#buffer[this.#head] as Delivered;
      const position = delivered.sequence - 1;
      if (position > this.next) {
        // A gap is told at the beginning of a page only.
        if (records.length > 0) break;
        lost = position - asked;
        this.next = position;
      }
      const size = bytesOf(delivered.message);
      if (records.length > 0 && (records.length >= limits.events || bytes + size > limits.bytes)) break;
      const record = this.#decoded(delivered, records.length > 0);
      if (!record) break;
      records.push(record);
      bytes += size;
      this.#take(size);
    }
    // Whoever reads once at a place may well go elsewhere next.
    if (this.#reads++ > 0) this.#ahead();
    this.usedAtMs = this.#parts.clock.monotonic();
    const looked = this.#pulls > before && this.#endedPull === this.#pulls && this.#coming === 0 && this.#pending === 0;
    return { records, next: this.next, lost, end: this.#size === 0 && (looked || this.hears) };
  }

  /** Lets go of the consumer. */
  close(): void {
    this.#broken = true;
    if (this.#name !== undefined) this.#parts.consumers.drop(this.#parts.stream, this.#name);
    this.#woken();
  }

  get #size(): number {
    return this.#buffer.length - this.#head;
  }

  #decoded(delivered: Delivered, later: boolean): StoredRecord | undefined {
    try {
      return this.#parts.decode(delivered);
    } catch (error) {
      // What stands before it is served first.
      if (later) return undefined;
      throw error;
    }
  }

  #take(size: number): void {
    this.next = (this.#buffer[this.#head] as Delivered).sequence;
    this.#head++;
    this.#bufferBytes -= size;
    if (this.#head < 256 && this.#size > 0) return;
    this.#buffer = this.#buffer.slice(this.#head);
    this.#head = 0;
  }

  async #begin(): Promise<string> {
    const { consumers, stream } = this.#parts;
    const { name } = await consumers.make(stream, { sequence: this.next + 1 }, {
      delivered: (delivered) => this.#delivered(delivered),
      ended: (pull) => this.#ended(pull),
      lost: () => {
        this.#broken = true;
        this.#woken();
      },
    }); // prettier-ignore
    return name;
  }

  /** Waits for a page, of the pull under way or of new ones; with nothing there, until the server says so. */
  async #fill({ events, bytes }: ReadLimits): Promise<void> {
    // How large events are here is not known yet, so a cursor begins with few.
    if (this.#coming === 0) this.#pull(Math.max(batchMin, Math.min(events, this.#room(), batchFirst)), 0);
    const bytesMax = Math.min(bytes, this.#parts.settings.windowBytesMax / 2);
    while (this.#size < events && this.#bufferBytes <= bytesMax && !this.#broken) {
      if (this.#coming === 0) {
        if (this.#pending === 0) break;
        this.#pull(Math.min(this.#room(), this.#pending, Math.max(batchMin, events - this.#size)), knownMs);
      } else if (this.#size > 0 && this.hears) break;
      const came = this.#size;
      await this.#news();
      // Silence: the consumer is gone, or the way to it.
      if (this.#coming > 0 && this.#size === came) this.#broken = true;
    }
    if (this.#broken && this.#size === 0)
      throw unreachable(this.#parts.settings.address, "a reader was given no answer");
  }

  /** Asks for more while what is there is worked on, and at the end for what comes. */
  #ahead(): void {
    if (this.#coming > 0 || this.#broken) return;
    const room = this.#room();
    if (this.#pending === 0) this.#pull(Math.min(room, standing.batch), standing.waitMs, true);
    else if (this.#bufferBytes < this.#parts.settings.windowBytesMax / 2 && this.#size < batchMax / 2)
      this.#pull(Math.min(room, this.#pending), knownMs);
  }

  #room(): number {
    const { windowBytesMax } = this.#parts.settings;
    return Math.max(1, Math.min(batchMax, Math.floor(windowBytesMax / this.#eventBytes)));
  }

  #pull(batch: number, waitMs: number, stands = false): void {
    const { consumers, stream } = this.#parts;
    consumers.pull(stream, this.#name as string, this.#pulls + 1, batch, waitMs);
    this.#pulls++;
    this.#coming = batch;
    this.#stands = stands;
  }

  #delivered(delivered: Delivered): void {
    if (this.#broken) return;
    if (delivered.count !== (this.#count += 1)) {
      this.#broken = true;
      return this.#woken();
    }
    const size = bytesOf(delivered.message);
    this.#eventBytes += (size - this.#eventBytes) / 16;
    this.#buffer.push(delivered);
    this.#bufferBytes += size;
    this.#pending = delivered.pending;
    // The server ends any other pull with what it has.
    this.#coming = delivered.pending === 0 && !this.#stands ? 0 : Math.max(0, this.#coming - 1);
    if (this.#coming === 0) this.#endedPull = this.#pulls;
    if (this.#wake) this.#wake();
    else if (this.#stands) this.#parts.came();
  }

  #ended(pull: number): void {
    // That of a pull which ended with its last message comes late, and says nothing about the next one.
    if (pull !== this.#pulls || this.#coming === 0) return;
    this.#coming = 0;
    this.#pending = 0;
    this.#endedPull = this.#pulls;
    this.#wake?.();
    // One that is read no more is let go of.
    if (this.#stands && this.usable) this.#ahead();
  }

  #woken(): void {
    this.#coming = 0;
    this.#wake?.();
  }

  /** Resolves with the next message or status, and after a silence without one. */
  #news(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#wake = undefined;
        resolve();
      };
      const cancel = this.#parts.clock.after(silenceMs, done);
      this.#wake = done;
    });
  }
}
