import { TidingsError } from "../../errors/tidings-error.ts";
import type { EventRecord, StoredRecord } from "../../event/record.ts";
import { type Draft, payloadKind, payloadOf } from "./draft.ts";

/** The texts of a chunk: events of one partition that were committed together, packed into one row. */
export interface ChunkText {
  /** JSON object with one list per attribute; a list whose values are all the same is that value. */
  readonly header: string;
  /** JSON array with one payload per line. */
  readonly body: string;
}

/** Where a chunk stands. */
export interface ChunkPlace {
  /** Position of the last event. */
  readonly last: number;
  readonly count: number;
  readonly appendedAtMs: number;
}

/** Where a chunk belongs, for records and errors. */
export interface LogPlace {
  readonly topic: string;
  readonly partition: number;
}

/** What a header holds. Lists by attribute are the smallest, and the quickest to parse: see docs/engines/sqlite.md. */
interface Header {
  readonly id: readonly string[];
  readonly source: string | readonly string[];
  readonly type: string | readonly string[];
  readonly time: readonly number[];
  readonly key: readonly (string | null)[];
  /** Absent when no event has any. */
  readonly attributes?: readonly (Readonly<Record<string, string>> | null)[];
  /** `payloadKind` of each; absent when all are JSON. */
  readonly kind?: readonly number[];
}

/** A chunk whose lines are known. */
export interface OpenChunk {
  readonly first: number;
  readonly last: number;
  /** The event at an index from 0. */
  record(index: number): StoredRecord;
  /** About how many bytes it has. */
  bytes(index: number): number;
}

/** A chunk holds at most so much, so that a reader need not decode much more than it wants. */
const chunkEventsMax = 256;
const chunkBytesMax = 64 * 1024;

/** Header and body of some events. */
export function encodeChunk(drafts: readonly Draft[]): ChunkText {
  const id: string[] = [];
  const time: number[] = [];
  const key: (string | null)[] = [];
  const kind: number[] = [];
  let body = "[\n";
  let kinds = 0;
  let attributes = 0;
  for (let i = 0; i < drafts.length; i++) {
    const draft = drafts[i] as Draft;
    id.push(draft.id);
    time.push(draft.timeMs);
    key.push(draft.key);
    kind.push(draft.kind);
    kinds += draft.kind;
    if (draft.attributes !== undefined) attributes++;
    body += i === 0 ? draft.line : ",\n" + draft.line;
  }
  const source = oneOrAll(drafts, "source");
  const type = oneOrAll(drafts, "type");
  let header = JSON.stringify({ id, source, type, time, key, kind: kinds === 0 ? undefined : kind });
  if (attributes > 0)
    header = `${header.slice(0, -1)},"attributes":[${drafts.map((d) => d.attributes ?? "null").join(",")}]}`;
  return { header, body: body + "\n]" };
}

function oneOrAll(drafts: readonly Draft[], name: "source" | "type"): string | string[] {
  const first = (drafts[0] as Draft)[name];
  for (let i = 1; i < drafts.length; i++)
    if ((drafts[i] as Draft)[name] !== first) return drafts.map((draft) => draft[name]);
  return first;
}

/** Where chunks end among drafts; an event that is larger than a chunk may be stands alone. */
export function chunkEnds(drafts: readonly Draft[]): number[] {
  const ends: number[] = [];
  let count = 0;
  let bytes = 0;
  for (let i = 0; i < drafts.length; i++) {
    const size = (drafts[i] as Draft).bytes;
    if (count > 0 && (count === chunkEventsMax || bytes + size > chunkBytesMax)) {
      ends.push(i);
      count = 0;
      bytes = 0;
    }
    count++;
    bytes += size;
  }
  ends.push(drafts.length);
  return ends;
}

/** Reads the texts of a chunk that were verified before. */
export function openChunkText({ header: json, body }: ChunkText, at: ChunkPlace, place: LogPlace): OpenChunk {
  const first = at.last - at.count + 1;
  const header = JSON.parse(json) as Header;
  const ends = lineEnds(body);
  return {
    first,
    last: at.last,
    bytes: (index) => (ends[index + 1] as number) - (ends[index] as number),
    record: (index) => ({
      id: header.id[index] as string,
      source: typeof header.source === "string" ? header.source : (header.source[index] as string),
      type: typeof header.type === "string" ? header.type : (header.type[index] as string),
      timeMs: header.time[index] as number,
      key: header.key[index] as string | null,
      attributes: header.attributes?.[index] ?? undefined,
      data: payload(body, ends, index, header.kind?.[index] ?? payloadKind.json),
      topic: place.topic,
      partition: place.partition,
      position: first + index,
      appendedAtMs: at.appendedAtMs,
    }),
  };
}

/** The rejection of a read that met a damaged chunk, or none where one must be. */
export function corruptRecord({ topic, partition }: LogPlace, position: number): TidingsError {
  return new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The event at position ${position} of topic "${topic}", partition ${partition}, does not match its checksum or is missing; ` +
      'restore it from a backup. "tidings engine verify" lists all that is damaged.',
    { details: { topic, partition, position } },
  );
}

function lineEnds(body: string): number[] {
  const ends: number[] = [];
  for (let at = body.indexOf("\n"); at >= 0; at = body.indexOf("\n", at + 1)) ends.push(at);
  return ends;
}

/** A slice shares the body's memory: whoever keeps one event of a chunk keeps the chunk, at most 64 KiB. */
function payload(body: string, ends: readonly number[], index: number, kind: number): EventRecord["data"] {
  const end = ends[index + 1] as number;
  // All lines but the last end with a comma.
  const line = body.slice((ends[index] as number) + 1, index === ends.length - 2 ? end : end - 1);
  return payloadOf(kind, line);
}
