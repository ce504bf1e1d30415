import { crc32 } from "node:zlib";
import { TidingsError } from "../../errors/tidings-error.ts";
import { formatTime } from "../../event/instant.ts";
import { type EventRecord, recordBytes } from "../../event/record.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import { checksumOf, kindOf } from "../broker/envelope.ts";

/** Headers must fit into one frame, of which the server takes 128 KiB. */
const headersMax = 100_000;
/** The content type is a short string of the protocol. */
const contentTypeMax = 255;

/** An event on its way: headers and payload are our own copies. */
export interface Draft {
  readonly topic: string;
  readonly partition: number;
  readonly queue: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly data: Buffer;
  /** Bytes of headers and payload together, about. */
  readonly bytes: number;
  /** Given when the caller chose the id. */
  readonly own?: OwnId;
}

/** What tells a repeated publish from another event under the same id. */
export interface OwnId {
  readonly id: string;
  readonly source: string;
  /** Over type, key and payload. */
  readonly checksum: number;
}

const nothing = Buffer.alloc(0);

/** An entry as a CloudEvent in binary mode. Throws TIDINGS_EVENT_TOO_LARGE. */
export function draftOf(
  { topic, partition, record, checkId }: TopicEntry,
  queue: string,
  nowMs: number,
  eventBytesMax: number,
): Draft {
  const { data } = record;
  const payload = data === undefined ? nothing : typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
  const kind = kindOf(data);
  const bytes = recordBytes(record);
  if (bytes > eventBytesMax) throw tooLarge(topic, record, bytes, eventBytesMax, "bytes");
  const beside = bytes - payload.length + 32 * (Object.keys(record.attributes ?? {}).length + 8);
  if (beside > headersMax) throw tooLarge(topic, record, beside, headersMax, "bytes of headers");
  const headers = headersOf(record, kind, payload, nowMs);
  const draft = { topic, partition, queue, headers, contentType: contentTypeOf(record), data: payload, bytes: bytes + 256 }; // prettier-ignore
  if (!checkId) return draft;
  const { id, source, type, key } = record;
  return { ...draft, own: { id, source, checksum: crc32(payload, crc32(`${kind}\n${type}\n${key === null ? "" : `=${key}`}\n`)) } }; // prettier-ignore
}

function headersOf(record: EventRecord, kind: string, payload: Buffer, nowMs: number): Record<string, string> {
  const { id, source, type, timeMs, key, attributes } = record;
  const headers: Record<string, string> = {
    "cloudEvents:specversion": "1.0",
    "cloudEvents:id": wellFormed(id),
    "cloudEvents:source": wellFormed(source),
    "cloudEvents:type": wellFormed(type),
    "cloudEvents:time": formatTime(timeMs),
  };
  if (key !== null) headers["cloudEvents:partitionkey"] = wellFormed(key);
  if (attributes)
    for (const name in attributes) headers[`cloudEvents:${name}`] = wellFormed(attributes[name] as string);
  headers["tidings"] = `${kind}${checksumOf(record, kind, payload)}${nowMs.toString(36)}`;
  return headers;
}

/** The media type as a property of the message, which by the binding says `datacontenttype`; the header has all of it. */
function contentTypeOf({ attributes, data }: EventRecord): string | undefined {
  if (data === undefined) return undefined;
  const type = attributes?.["datacontenttype"] ?? "application/json";
  return type.length <= contentTypeMax && /^[\u0020-\u007E]*$/.test(type) ? type : undefined;
}

/** Half of a surrogate pair has no UTF-8. */
const wellFormed = (text: string): string => text.toWellFormed();

function tooLarge(topic: string, { id }: EventRecord, bytes: number, bytesMax: number, unit: string): TidingsError {
  return new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event "${id}" for topic "${topic}" has ${bytes} ${unit}; at most ${bytesMax} are taken (eventBytesMax).`,
    { details: { topic, bytes, bytesMax } },
  );
}
