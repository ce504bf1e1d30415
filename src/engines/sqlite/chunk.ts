import { crc32 } from "node:zlib";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { EventRecord, StoredRecord } from "../../event/record.ts";
import { type Draft, payloadKind } from "./draft.ts";

/** A row of `tidings_chunk`: events of one partition that were committed together. */
export interface ChunkRow {
  readonly id: number;
  readonly log: number;
  /** Position of the last event. */
  readonly last: number;
  readonly count: number;
  readonly appended_ms: number;
  readonly checksum: number;
  /** JSON object with one list per attribute; a list whose values are all the same is that value. */
  readonly header: string;
  /** JSON array with one payload per line. */
  readonly body: string;
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

/** A chunk whose checksum was verified and whose lines are known. */
export interface OpenChunk {
  readonly id: number;
  readonly first: number;
  readonly last: number;
  /** The event at an index from 0. */
  record(index: number): StoredRecord;
  /** About how many bytes it has. */
  bytes(index: number): number;
}

/** Header and body of some events. */
export function encodeChunk(drafts: readonly Draft[]): { header: string; body: string } {
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

/** Covers where the events stand and when they came, so that a row in the wrong place is found, too. */
export function chunkChecksum({
  log,
  last,
  count,
  appended_ms,
  header,
  body,
}: Omit<ChunkRow, "id" | "checksum">): number {
  return crc32(body, crc32(header, crc32(`${log}:${last}:${count}:${appended_ms}`)));
}

/** Verifies a row; undefined when it does not match its checksum: a damaged record is never served. */
export function openChunk(row: ChunkRow, place: LogPlace): OpenChunk | undefined {
  const { id, last, count } = row;
  const first = last - count + 1;
  // A damaged type makes a text a blob of the same bytes.
  if (typeof row.header !== "string" || typeof row.body !== "string" || chunkChecksum(row) !== row.checksum)
    return undefined;
  const header = JSON.parse(row.header) as Header;
  const ends = lineEnds(row.body);
  return {
    id,
    first,
    last,
    bytes: (index) => (ends[index + 1] as number) - (ends[index] as number),
    record: (index) => ({
      id: header.id[index] as string,
      source: typeof header.source === "string" ? header.source : (header.source[index] as string),
      type: typeof header.type === "string" ? header.type : (header.type[index] as string),
      timeMs: header.time[index] as number,
      key: header.key[index] as string | null,
      attributes: header.attributes?.[index] ?? undefined,
      data: payload(row.body, ends, index, header.kind?.[index] ?? payloadKind.json),
      topic: place.topic,
      partition: place.partition,
      position: first + index,
      appendedAtMs: row.appended_ms,
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
  if (kind === payloadKind.json) return line;
  if (kind === payloadKind.none) return undefined;
  return kind === payloadKind.text
    ? (JSON.parse(line) as string)
    : new Uint8Array(Buffer.from(line.slice(1, -1), "base64"));
}
