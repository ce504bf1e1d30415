import { TidingsError } from "../../errors/tidings-error.ts";
import type { Bounds, ReadLimits, ReadPage, TopicSpec } from "../../ports/topics.ts";
import { corruptRecord } from "../sql/chunk.ts";
import { checkPosition } from "../sql/topics.ts";
import { type Catalog, checkPlace } from "./catalog.ts";
import type { Connections } from "./connections.ts";
import { type Entry, type EntryPlace, instantOfEntry, openEntry, placeOf } from "./entry.ts";
import { entryId, era, type Keys } from "./keys.ts";
import { LookAhead } from "./look-ahead.ts";
import { boundsScript } from "./scripts/bounds.ts";
import { instantsScript } from "./scripts/instants.ts";
import type { Settings } from "./options.ts";
import type { StoreWatch } from "./store-watch.ts";

/** What a reader works with. */
export interface ReaderParts {
  readonly connections: Connections;
  readonly catalog: Catalog;
  readonly keys: Keys;
  readonly settings: Settings;
  readonly watch: StoreWatch;
}

/** Entries of the first look at a stream, and most of one look. */
const entriesFirst = 32;
const entriesMax = 2048;
/** So many streams go into one script. */
const streamsPerScript = 64;
/** Entries that are looked through at a time for one that says when it was appended. */
const entriesBehind = 64;

/** Reads the events of a store. */
export class Reader {
  readonly #parts: ReaderParts;
  readonly #ahead: LookAhead;
  /** By stream, about how many bytes an event has. */
  readonly #eventBytes = new Map<string, number>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#ahead = new LookAhead((stream, position, count) => this.#entries(stream, position, count));
  }

  readonly read = async (topic: string, partition: number, position: number, limits: ReadLimits): Promise<ReadPage> => {
    const { catalog, keys, settings, watch } = this.#parts;
    checkPlace(catalog.get(topic) ?? (await catalog.topic(topic)), topic, partition);
    checkPosition(position);
    watch.throwIfReplaced();
    const stream = keys.log(topic, partition);
    const page = new PageInMaking({ topic, partition, stream, address: settings.address }, position, limits);
    while (!page.full && !page.end) {
      const count = this.#countOf(page, stream);
      const ahead = this.#ahead.take(stream, page.next);
      const entries = await (ahead ?? this.#entries(stream, page.next, count));
      if (page.records.length === 0) page.instant = await this.#instantBefore(stream, entries);
      page.take(entries);
      // What was looked for earlier may be short because it is old.
      if (!ahead && !page.full) page.end = entries.length < count;
    }
    if (page.records.length === 0) return this.#emptyPage(stream, position);
    watch.seen(stream, page.next);
    this.#eventBytes.set(stream, Math.max(1, page.bytes / page.records.length));
    if (!page.end) this.#ahead.look(stream, page.next, this.#countOf(new PageInMaking(page.place, page.next, limits), stream), page.bytes); // prettier-ignore
    const { records, next, end } = page;
    return { records, next, lost: (records[0]?.position ?? next) - position, end };
  };

  /** Enough for what is asked for, judged by the events before. */
  #countOf({ limits, records, bytes }: PageInMaking, stream: string): number {
    const known = this.#eventBytes.get(stream);
    const fitting = known === undefined ? entriesFirst : Math.ceil((limits.bytes - bytes) / known) + 1;
    return Math.max(1, Math.min(entriesMax, fitting, limits.events - records.length));
  }

  #entries(stream: string, position: number, count: number): Promise<readonly Entry[]> {
    return this.#parts.connections.read((from) =>
      from.send<Entry[]>(["XRANGE", stream, entryId(position), era, "COUNT", String(count)], true),
    );
  }

  /** Entries of others do not say when they were appended: not before what stands before them. */
  async #instantBefore(stream: string, entries: readonly Entry[]): Promise<number | undefined> {
    const [first] = entries;
    if (!first || instantOfEntry(first) !== undefined || placeOf(first) === 0) return undefined;
    const before = await this.#parts.connections.read(
      (from) =>
      from.send<Entry[]>(["XREVRANGE", stream, entryId(placeOf(first) - 1), era + "-0", "COUNT", String(entriesBehind)], true), // prettier-ignore
    );
    return before.map(instantOfEntry).find((instant) => instant !== undefined);
  }

  /** Nothing stands there: the position is at the end or behind it, or all from it on is gone by retention. */
  async #emptyPage(stream: string, position: number): Promise<ReadPage> {
    const { watch } = this.#parts;
    const seen = watch.endOf(stream);
    const [{ first, next }] = (await this.#boundsOf([stream])) as [Bounds];
    watch.compare(next, seen);
    if (next <= position) return { records: [], next: position, lost: 0, end: true };
    // Something was appended meanwhile: the next read finds it.
    if (first < next) return { records: [], next: position, lost: 0, end: false };
    return { records: [], next, lost: next - position, end: true };
  }

  readonly bounds = async (topic: string): Promise<readonly Bounds[]> => {
    return this.#boundsOf(this.#parts.catalog.logs(await this.#parts.catalog.topic(topic)));
  };

  async #boundsOf(streams: readonly string[]): Promise<readonly Bounds[]> {
    const found: Bounds[] = [];
    for (const some of chunked(streams)) {
      const places = await this.#parts.connections.read((from) => from.run<number[]>(boundsScript, some, []));
      for (const [index, stream] of some.entries()) {
        const [first, next] = [places[2 * index] as number, places[2 * index + 1] as number];
        if (next === 0) throw this.#gone(stream);
        found.push({ first: first - 1, next: next - 1 });
      }
    }
    return found;
  }

  readonly positionsAt = async (topic: string, timeMs: number): Promise<readonly number[]> => {
    const { catalog, connections } = this.#parts;
    const streams = catalog.logs(await catalog.topic(topic));
    const bounds = await this.#boundsOf(streams);
    const found: number[] = [];
    for (const some of chunked(streams)) {
      const limits = some.flatMap((_, index) => {
        const { first, next } = bounds[found.length + index] as Bounds;
        return [String(first + 1), String(next + 1)];
      });
      const places = await connections.read((from) =>
        from.run<number[]>(instantsScript, some, [String(Math.ceil(timeMs)), ...limits]),
      );
      for (const place of places) found.push(place - 1);
    }
    return found;
  };

  /** Highest positions of topics, to see whether something was appended. Topics that are not there are left out. */
  async ends(topics: readonly TopicSpec[]): Promise<readonly number[]> {
    const streams = topics.flatMap((topic) => this.#parts.catalog.logs(topic));
    return (await this.#boundsOf(streams)).map(({ next }) => next);
  }

  #gone(stream: string): TidingsError {
    const { address } = this.#parts.settings;
    return new TidingsError(
      "TIDINGS_FILE_CORRUPT",
      `The stream "${stream}" at ${address} is gone; somebody has removed it.`,
      { details: { address, stream } },
    );
  }
}

/** What a read has gathered so far. */
class PageInMaking {
  readonly records: ReadPage["records"][number][] = [];
  readonly place: EntryPlace;
  readonly limits: ReadLimits;
  next: number;
  bytes = 0;
  full = false;
  end = false;
  /** When the last entry that says so was appended. */
  instant: number | undefined;

  constructor(place: EntryPlace, next: number, limits: ReadLimits) {
    this.place = place;
    this.next = next;
    this.limits = limits;
  }

  /** Takes what there is room for. Throws TIDINGS_RECORD_CORRUPT. */
  take(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const position = placeOf(entry);
      // Retention has come in between: the next read says what is lost.
      if (this.records.length > 0 && position !== this.next) return void (this.full = true);
      const open = openEntry(entry, this.place, position, this.instant);
      if (!open) {
        // What was read is good; the next read meets what is wrong here.
        if (this.records.length > 0) return void (this.full = true);
        throw corruptRecord(this.place, position);
      }
      const { events, bytes } = this.limits;
      if (this.records.length > 0 && (this.records.length >= events || this.bytes + open.bytes > bytes))
        return void (this.full = true);
      this.instant = open.instant ?? this.instant;
      this.records.push(open.record);
      this.bytes += open.bytes;
      this.next = position + 1;
    }
    this.full = this.records.length >= this.limits.events || this.bytes >= this.limits.bytes;
  }
}

function* chunked(streams: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < streams.length; at += streamsPerScript) yield streams.slice(at, at + streamsPerScript);
}
