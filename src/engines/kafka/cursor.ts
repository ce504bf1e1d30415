import type { StoredRecord } from "../../event/record.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ReadLimits } from "../../ports/topics.ts";
import { type Codec, foundIn, type Found } from "./batch.ts";
import type { FetchAnswer } from "./protocol.ts";
import { recordOf, type RecordPlace } from "./unwire.ts";

/** How long what was read ahead is kept for a reader that does not come back, in milliseconds. */
const keptMs = 60_000;
/** What an event takes beside its body. */
const eventOverhead = 8;

/** What a cursor found. */
export interface Stretch {
  readonly records: StoredRecord[];
  readonly next: number;
  /** Whether nothing stood behind it, as far as was looked. */
  readonly end: boolean;
}

export interface CursorParts {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly place: RecordPlace;
  readonly windowBytesMax: number;
  /** Asks the leader for what stands from a position on; does not wait for what is not there yet. Throws refusals. */
  readonly fetch: (position: number, bytesMax: number) => Promise<FetchAnswer>;
}

/** Reads one partition in order, ahead of whoever asks. For one caller at a time. */
export class Cursor {
  readonly #parts: CursorParts;
  /** Position of what comes next. */
  next: number;
  #buffer: Found[] = [];
  #head = 0;
  #bufferBytes = 0;
  /** Position behind what is in the buffer. */
  #fetched: number;
  #end = false;
  #fetching: Promise<void> | undefined;
  #problem: Error | undefined;
  #reads = 0;
  usedAtMs: number;
  #closed = false;

  constructor(parts: CursorParts, position: number) {
    this.#parts = parts;
    this.next = position;
    this.#fetched = position;
    this.usedAtMs = parts.clock.monotonic();
  }

  get usable(): boolean {
    return !this.#closed && this.#parts.clock.monotonic() - this.usedAtMs < keptMs;
  }

  close(): void {
    this.#closed = true;
    this.#buffer = [];
  }

  /** Whether it has fetched all before a position, and could be given what comes there. */
  isBefore(position: number): boolean {
    return this.#fetched === position && !this.#fetching && this.#problem === undefined && this.usable;
  }

  /** Takes what somebody else has fetched from a position on, where that goes on from what is here; knows at least that it is there. */
  offer(position: number, answer: FetchAnswer): void {
    if (answer.stableEnd > this.#fetched) this.#end = false;
    if (!this.isBefore(position) || this.#bufferBytes > this.#parts.windowBytesMax / 2) return;
    const found = foundIn(answer, position, this.#parts.codec);
    // It may have been cut short. A damaged one is met again.
    if (!found.some(({ broken }) => broken)) this.#take(found, answer);
  }

  /** Reads on. Throws TIDINGS_RECORD_CORRUPT, and refusals. */
  async read(limits: ReadLimits): Promise<Stretch> {
    if (this.#head >= this.#buffer.length) await this.#fill(limits);
    const records: StoredRecord[] = [];
    let bytes = 0;
    while (this.#head < this.#buffer.length) {
      const found = this.#buffer[this.#head] as Found;
      const size = (found.body?.length ?? 0) + eventOverhead;
      if (records.length > 0 && (records.length >= limits.events || bytes + size > limits.bytes)) break;
      const record = this.#decoded(found, records.length > 0);
      if (!record) break;
      records.push(record);
      bytes += size;
      this.#taken(found, size);
    }
    // Whoever reads once at a place may well go elsewhere next.
    if (this.#reads++ > 0) this.#ahead();
    this.usedAtMs = this.#parts.clock.monotonic();
    const isEmpty = this.#head >= this.#buffer.length;
    return { records, next: this.next, end: isEmpty && this.#end && !this.#fetching };
  }

  #decoded(found: Found, later: boolean): StoredRecord | undefined {
    try {
      return recordOf(found, this.#parts.place);
    } catch (error) {
      // What stands before it is served first.
      if (later) return undefined;
      throw error;
    }
  }

  #taken(found: Found, size: number): void {
    this.next = found.position + 1;
    if (found.count > 1) {
      // Each position where nothing is has a record of its own.
      this.#buffer[this.#head] = { ...found, position: found.position + 1, count: found.count - 1 };
      return;
    }
    this.#head++;
    this.#bufferBytes -= size;
    if (this.#head < this.#buffer.length) return;
    this.#buffer = [];
    this.#head = 0;
    this.#bufferBytes = 0;
  }

  /** Fetches until there is something, or the end was looked at: what was fetched ahead may have found an end of then. */
  async #fill({ bytes }: ReadLimits): Promise<void> {
    const most = Math.min(this.#parts.windowBytesMax, this.#reads === 0 ? bytes : Number.MAX_SAFE_INTEGER);
    await this.#fetching;
    if (this.#problem === undefined && this.#head >= this.#buffer.length) await this.#fetch(most);
    const problem = this.#problem;
    this.#problem = undefined;
    if (problem !== undefined) throw problem;
  }

  #ahead(): void {
    if (
      this.#fetching ||
      this.#end ||
      this.#problem !== undefined ||
      this.#closed ||
      this.#bufferBytes > this.#parts.windowBytesMax / 2
    )
      return;
    void this.#fetch(this.#parts.windowBytesMax / 2);
  }

  #fetch(bytesMax: number): Promise<void> {
    this.#fetching ??= this.#fetchOnce(bytesMax).finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #fetchOnce(bytesMax: number): Promise<void> {
    try {
      const answer = await this.#parts.fetch(this.#fetched, Math.max(1, Math.floor(bytesMax)));
      this.#take(foundIn(answer, this.#fetched, this.#parts.codec), answer);
    } catch (error) {
      this.#problem = error as Error;
    }
  }

  #take(found: readonly Found[], { stableEnd }: FetchAnswer): void {
    for (const each of found) {
      this.#buffer.push(each);
      this.#bufferBytes += (each.body?.length ?? 0) + eventOverhead;
      this.#fetched = each.position + each.count;
    }
    this.#end = this.#fetched >= stableEnd;
  }
}
