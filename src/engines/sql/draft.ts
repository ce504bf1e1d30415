import { hash } from "node:crypto";
import { TidingsError } from "../../errors/tidings-error.ts";
import { type EventRecord, recordBytes } from "../../event/record.ts";
import type { TopicEntry } from "../../ports/topics.ts";

/** How a payload stands in a chunk's body. */
export const payloadKind = { json: 0, text: 1, bytes: 2, none: 3 } as const;

/** An event on its way to a chunk: our own copy, so that what the caller does to its objects changes nothing. */
export interface Draft {
  readonly topic: string;
  readonly partition: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly timeMs: number;
  readonly key: string | null;
  /** JSON of the attributes. */
  readonly attributes: string | undefined;
  readonly kind: number;
  /** The payload as one line of JSON. */
  readonly line: string;
  /** What duplicates are told by; undefined when nobody asked. */
  readonly hash: string | undefined;
  /** About how many bytes it takes in the file. */
  readonly bytes: number;
}

/** Makes the draft of an entry. Throws TIDINGS_EVENT_TOO_LARGE when the record has more bytes than `bytesMax`. */
export function draftOf({ topic, partition, record, checkId }: TopicEntry, bytesMax: number): Draft {
  const { id, source, type, timeMs, key, data } = record;
  const attributes = record.attributes === undefined ? undefined : JSON.stringify(record.attributes);
  const kind = kindOf(data);
  const line = lineOf(kind, data);
  const bytes = line.length + (attributes?.length ?? 0) + id.length + type.length + (key?.length ?? 0) + 24;
  // A character is at most 3 bytes, so that most records need no exact count.
  if (bytes * 3 + source.length * 3 > bytesMax) checkSize(topic, record, bytesMax);
  return {
    topic, partition, id, source, type, timeMs, key, attributes, kind, line, bytes,
    hash: checkId ? hashOf(data) : undefined,
  }; // prettier-ignore
}

/**
 * Whether a text may stand in a chunk as it is. Core hands over JSON, which mostly is an object; only for other
 * texts it is worth a parse to be sure, since a wrong guess costs no more than the view's look at that chunk.
 * Line feeds would break the lines, NUL ends a text for SQLite's functions, lone surrogates have no UTF-8.
 */
function kindOf(data: EventRecord["data"]): number {
  if (data === undefined) return payloadKind.none;
  if (typeof data !== "string") return payloadKind.bytes;
  const verbatim = isJson(data) && !data.includes("\n") && !data.includes("\0") && data.isWellFormed();
  return verbatim ? payloadKind.json : payloadKind.text;
}

function isJson(text: string): boolean {
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  if (text.length > 1 && first === 0x7b && last === 0x7d) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The payload of a line; bytes are a copy of their own each time. */
export function payloadOf(kind: number, line: string): EventRecord["data"] {
  if (kind === payloadKind.json) return line;
  if (kind === payloadKind.none) return undefined;
  return kind === payloadKind.text
    ? (JSON.parse(line) as string)
    : new Uint8Array(Buffer.from(line.slice(1, -1), "base64"));
}

function lineOf(kind: number, data: EventRecord["data"]): string {
  if (data === undefined) return "null";
  if (typeof data !== "string")
    return `"${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")}"`;
  return kind === payloadKind.json ? data : JSON.stringify(data);
}

/** Short enough to store, long enough that two payloads do not share it by chance. */
function hashOf(data: EventRecord["data"]): string {
  const kind = typeof data === "string" ? "s" : data === undefined ? "n" : "b";
  return kind + hash("sha256", data ?? "", "base64url").slice(0, 22);
}

function checkSize(topic: string, record: EventRecord, bytesMax: number): void {
  const bytes = recordBytes(record);
  if (bytes <= bytesMax) return;
  throw new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event "${record.id}" of type "${record.type}" has ${bytes} bytes; at most ${bytesMax} are taken.`,
    { details: { topic, bytes, bytesMax } },
  );
}
