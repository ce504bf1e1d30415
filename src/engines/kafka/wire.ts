import { TidingsError } from "../../errors/tidings-error.ts";
import { payloadHash } from "../../event/hash.ts";
import { formatTime } from "../../event/instant.ts";
import { type EventRecord, recordBytes } from "../../event/record.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import { checksumOf, contentKind, kindOf } from "../broker/envelope.ts";
import { Bytes } from "./bytes.ts";

/** What a batch needs beside its records. */
export const batchOverhead = 61;
/** What a record may need beside what stands in its draft: its length, attributes, time and place. */
export const recordOverhead = 16;

/** An event on its way. */
export interface Draft {
  readonly topic: string;
  readonly partition: number;
  readonly id: string;
  readonly source: string;
  /** Of an event whose id the caller chose: what it is known by, and the hash of what it says. */
  readonly mark: string | undefined;
  readonly hash: string | undefined;
  /** Key, value and headers as they stand in a batch; our own copy. */
  readonly body: Buffer;
}

export interface WireLimits {
  /** Largest event, by `recordBytes`. */
  readonly eventBytesMax: number;
}

/** An entry as CloudEvents in binary mode. Throws TIDINGS_EVENT_TOO_LARGE. */
export function draftOf({ topic, partition, record, checkId }: TopicEntry, { eventBytesMax }: WireLimits): Draft {
  const { data, key } = record;
  const value = data === undefined ? null : typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
  const bytes = new Bytes((value?.length ?? 0) + 512);
  bytes.varBytes(key === null ? null : Buffer.from(key));
  bytes.varBytes(value);
  writeHeaders(bytes, record, value ?? nothing);
  const { id, source } = record;
  const mark = checkId ? `${source}\n${id}` : undefined;
  const draft = { topic, partition, id, source, mark, hash: checkId ? payloadHash(record) : undefined, body: bytes.taken() }; // prettier-ignore
  // Most are far below; the exact count is dear.
  if (draft.body.length > eventBytesMax / 2) {
    const size = recordBytes(record);
    if (size > eventBytesMax) throw tooLarge(draft, size, eventBytesMax, "bytes");
  }
  return draft;
}

/** Refuses what does not fit into the largest batch of its topic, alone. */
export function checkFits(draft: Draft, batchBytesMax: number): void {
  const bytes = draft.body.length + batchOverhead + recordOverhead;
  if (bytes > batchBytesMax) throw tooLarge(draft, bytes, batchBytesMax, "bytes with its headers");
}

const nothing = Buffer.alloc(0);

function writeHeaders(bytes: Bytes, record: EventRecord, payload: Uint8Array): void {
  const { id, source, type, timeMs, key, attributes, data } = record;
  const contentType = attributes?.["datacontenttype"];
  let count = 6;
  if (key !== null) count++;
  if (contentType !== undefined || data !== undefined) count++;
  if (attributes) for (const name in attributes) if (name !== "datacontenttype") count++;
  bytes.varint(count);
  bytes.header("ce_specversion", "1.0");
  bytes.header("ce_id", id);
  bytes.header("ce_source", source);
  bytes.header("ce_type", type);
  bytes.header("ce_time", formatTime(timeMs));
  if (key !== null) bytes.header("ce_partitionkey", key);
  if (contentType !== undefined) bytes.header("content-type", contentType);
  else if (data !== undefined) bytes.header("content-type", "application/json");
  for (const name in attributes) if (name !== "datacontenttype") bytes.header(`ce_${name}`, attributes[name] as string);
  const kind = kindOf(data);
  const mark = kind + (contentType === undefined ? contentKind.implied : contentKind.named);
  bytes.header("tidings", mark + checksumOf(record, kind, payload));
}

function tooLarge({ topic, id }: Draft, bytes: number, bytesMax: number, unit: string): TidingsError {
  return new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event "${id}" for topic "${topic}" has ${bytes} ${unit}; at most ${bytesMax} are taken by Kafka here.`,
    { details: { topic, bytes, bytesMax } },
  );
}
