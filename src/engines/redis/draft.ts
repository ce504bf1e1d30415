import { hash } from "node:crypto";
import { TidingsError } from "../../errors/tidings-error.ts";
import { formatTime } from "../../event/instant.ts";
import { type EventRecord, recordBytes } from "../../event/record.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import { contentKind } from "../broker/envelope.ts";
import { checksumOf } from "./checksum.ts";
import type { Argument } from "./connection.ts";
import type { Keys } from "./keys.ts";

/** More names and values than a script can hand on at once. */
const attributesMax = 3000;

/** An event on its way to a stream: our own copy, so that what the caller does to its objects changes nothing. */
export interface Draft {
  readonly topic: string;
  readonly partition: number;
  /** Key of the stream. */
  readonly stream: string;
  readonly id: string;
  readonly source: string;
  /** Names and values of the entry. The script puts the instant before the last one. */
  readonly fields: readonly Argument[];
  /** As limits and retention count it. */
  readonly bytes: number;
  /** What its id is kept under; undefined when nobody asked. */
  readonly idKey: string | undefined;
  /** What its payload is told by. */
  readonly mark: string;
}

/** Makes the draft of an entry. Throws TIDINGS_EVENT_TOO_LARGE. */
export function draftOf({ topic, partition, record, checkId }: TopicEntry, keys: Keys, bytesMax: number): Draft {
  const bytes = recordBytes(record);
  checkSize(topic, record, bytes, bytesMax);
  const stream = keys.log(topic, partition);
  const fields = fieldsOf(record);
  // Others read what is JSON only where it is said.
  const isImplied = record.data !== undefined && record.attributes?.["datacontenttype"] === undefined;
  if (isImplied) fields.push("content-type", "application/json");
  fields.push("data", dataOf(record.data));
  const checksum = checksumOf(stream, fields);
  fields.push(
    "tidings",
    `${record.timeMs} ${bytes} ${kindOf(record.data)}${isImplied ? contentKind.implied : ""}${checksum}`,
  );
  return {
    topic, partition, stream, id: record.id, source: record.source, fields, bytes,
    idKey: checkId ? keys.id(record.source, record.id) : undefined, mark: checkId ? markOf(record.data) : "",
  }; // prettier-ignore
}

/** The attributes in the binary mode of CloudEvents: what its bindings call headers are fields here. */
function fieldsOf(record: EventRecord): Argument[] {
  const fields: Argument[] = [
    "ce_specversion", "1.0", "ce_id", record.id, "ce_source", record.source, "ce_type", record.type, "ce_time", formatTime(record.timeMs),
  ]; // prettier-ignore
  if (record.key !== null) fields.push("ce_partitionkey", record.key);
  const { attributes } = record;
  if (attributes)
    for (const name of Object.keys(attributes))
      fields.push(name === "datacontenttype" ? "content-type" : `ce_${name}`, attributes[name] as string);
  return fields;
}

/** Text, bytes or nothing: a stream knows bytes only. */
function kindOf(data: EventRecord["data"]): string {
  return typeof data === "string" ? "t" : data === undefined ? "n" : "b";
}

function dataOf(data: EventRecord["data"]): Argument {
  if (typeof data === "string") return data;
  return data === undefined ? "" : Buffer.from(data);
}

/** Short enough to store, long enough that two payloads do not share it by chance. */
function markOf(data: EventRecord["data"]): string {
  return kindOf(data) + hash("sha256", data ?? "", "base64url").slice(0, 22);
}

function checkSize(topic: string, record: EventRecord, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax && Object.keys(record.attributes ?? {}).length <= attributesMax) return;
  throw new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    bytes > bytesMax
      ? `The event "${record.id}" of type "${record.type}" has ${bytes} bytes; at most ${bytesMax} are taken.`
      : `The event "${record.id}" of type "${record.type}" has more than ${attributesMax} attributes.`,
    { details: { topic, bytes, bytesMax } },
  );
}
