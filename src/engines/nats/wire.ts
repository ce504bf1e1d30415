import { TidingsError } from "../../errors/tidings-error.ts";
import { formatTime } from "../../event/instant.ts";
import { type EventRecord, recordBytes } from "../../event/record.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import { checksumOf, contentKind, kindOf } from "../broker/envelope.ts";

/** JetStream keeps the length of the headers in 16 bits. */
const headersMax = 65_000;

/** An event on its way: headers and payload are our own copies. */
export interface Draft {
  readonly topic: string;
  readonly partition: number;
  readonly id: string;
  readonly source: string;
  readonly checkId: boolean;
  /** Header lines, each with its end. All ASCII. */
  readonly headers: string;
  readonly data: Uint8Array;
}

const nothing = new Uint8Array();
const encoder = new TextEncoder();

/** An entry as CloudEvents in binary mode. Throws TIDINGS_EVENT_TOO_LARGE. */
export function draftOf({ topic, partition, record, checkId }: TopicEntry, limits: WireLimits): Draft {
  const { data } = record;
  const payload = data === undefined ? nothing : typeof data === "string" ? encoder.encode(data) : data.slice();
  const kind = kindOf(data);
  const headers = headersOf(record, kind, payload);
  const draft = { topic, partition, id: record.id, source: record.source, checkId: checkId === true, headers, data: payload }; // prettier-ignore
  // Most are far below; the exact count is dear.
  if (payload.length + headers.length > limits.eventBytesMax / 2) checkSize(draft, record, limits);
  else if (headers.length > headersMax) throw tooLarge(draft, headers.length, headersMax, "bytes of headers");
  return draft;
}

export interface WireLimits {
  readonly eventBytesMax: number;
  readonly messageBytesMax: number;
}

function headersOf(record: EventRecord, kind: string, payload: Uint8Array): string {
  const { id, source, type, timeMs, key, attributes } = record;
  let headers = `ce-specversion: 1.0\r\nce-id: ${escape(id)}\r\nce-source: ${escape(source)}\r\nce-type: ${escape(type)}\r\nce-time: ${formatTime(timeMs)}\r\n`;
  if (key !== null) headers += `ce-partitionkey: ${escape(key)}\r\n`;
  if (attributes) for (const name in attributes) headers += `ce-${name}: ${escape(attributes[name] as string)}\r\n`;
  let mark = kind;
  if (record.data !== undefined && attributes?.["datacontenttype"] === undefined) {
    headers += "ce-datacontenttype: application/json\r\n";
    mark += contentKind.implied;
  }
  return `${headers}tidings: ${mark}${checksumOf(record, kind, payload)}\r\n`;
}

/** Visible ASCII without `"` and `%` stands for itself. */
const plain = /^[!#$&-~]*$/;

/** The percent-encoding of CloudEvents for HTTP headers, which its binding for NATS takes over. */
function escape(text: string): string {
  if (plain.test(text)) return text;
  // Half of a surrogate pair has no UTF-8.
  return text.toWellFormed().replace(/[^!#$&-~]+/g, (part) => {
    let escaped = "";
    for (const byte of encoder.encode(part)) escaped += `%${byte < 16 ? "0" : ""}${byte.toString(16).toUpperCase()}`;
    return escaped;
  });
}

function checkSize(draft: Draft, record: EventRecord, { eventBytesMax, messageBytesMax }: WireLimits): void {
  const bytes = recordBytes(record);
  if (bytes > eventBytesMax) throw tooLarge(draft, bytes, eventBytesMax, "bytes");
  const { length } = draft.headers;
  if (length > headersMax) throw tooLarge(draft, length, headersMax, "bytes of headers");
  // Ids and the first line come to it when it is sent.
  const sent = length + draft.data.length + 256;
  if (sent > messageBytesMax) throw tooLarge(draft, sent, messageBytesMax, "bytes with its headers");
}

function tooLarge({ topic, id }: Draft, bytes: number, bytesMax: number, unit: string): TidingsError {
  return new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event "${id}" for topic "${topic}" has ${bytes} ${unit}; at most ${bytesMax} are taken by this server.`,
    { details: { topic, bytes, bytesMax } },
  );
}
