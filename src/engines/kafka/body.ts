import { formatTime } from "../../event/instant.ts";
import type { EventRecord } from "../../event/record.ts";
import { checksumOf, contentKind, kindOf } from "../broker/envelope.ts";
import { Bytes } from "./bytes.ts";

/** Bodies are written one behind the other into pieces of so many bytes. */
const pieceBytes = 64 * 1024;
/** The length of a text below this is one byte, and ASCII, as Kafka has it: so it can stand among the texts. */
const shortMax = 64;
/** Room for the lengths of key and payload and the count of headers. */
const lengthsRoom = 16;

/**
 * Makes the bodies of records: key, value and headers as they stand in a batch. Nearly every text of a header is short and ASCII: so
 * all headers with their lengths are made as one text and written at once; what is different is written one by one.
 */
export class Bodies {
  #piece = Buffer.alloc(0);
  #at = 0;

  /** The body of an event, as a CloudEvent in binary mode. Nobody else writes to its bytes. */
  of(record: EventRecord): Buffer {
    const { data, key } = record;
    const headers = headersOf(record);
    const text = oneText(headers);
    if (text === undefined || (data !== undefined && typeof data !== "string")) return oneByOne(record, headers);
    const room = 3 * ((data?.length ?? 0) + (key?.length ?? 0) + text.length) + lengthsRoom;
    if (room > pieceBytes / 4) return oneByOne(record, headers);
    if (this.#at + room > this.#piece.length) {
      this.#piece = Buffer.allocUnsafeSlow(pieceBytes);
      this.#at = 0;
    }
    const piece = this.#piece;
    const begin = this.#at;
    const behind = putText(piece, putText(piece, begin, key), data ?? null);
    piece[behind] = headers.length;
    const written = piece.write(text, behind + 1);
    // Something in it is not ASCII, so that its length in it is wrong.
    if (written !== text.length) return oneByOne(record, headers);
    this.#at = behind + 1 + written;
    return piece.subarray(begin, this.#at);
  }
}

/** Names and values of the headers in turn. */
function headersOf(record: EventRecord): string[] {
  const { id, source, type, timeMs, key, attributes, data } = record;
  const contentType = attributes?.["datacontenttype"];
  const headers = ["ce_specversion", "1.0", "ce_id", id, "ce_source", source, "ce_type", type, "ce_time", formatTime(timeMs)]; // prettier-ignore
  if (key !== null) headers.push("ce_partitionkey", key);
  if (contentType !== undefined) headers.push("content-type", contentType);
  else if (data !== undefined) headers.push("content-type", "application/json");
  for (const name in attributes) if (name !== "datacontenttype") headers.push(`ce_${name}`, attributes[name] as string);
  const kind = kindOf(data);
  const mark = kind + (contentType === undefined ? contentKind.implied : contentKind.named);
  headers.push("tidings", mark + checksumOf(record, kind, data ?? ""));
  return headers;
}

/** The texts with their lengths before them, where each is short: what is to be written if it is ASCII. */
function oneText(headers: readonly string[]): string | undefined {
  if (headers.length >= 2 * shortMax) return undefined;
  let text = "";
  for (const each of headers) {
    if (each.length >= shortMax) return undefined;
    text += (lengths[each.length] as string) + each;
  }
  return text;
}

const lengths = Array.from({ length: shortMax }, (_, length) => String.fromCharCode(length << 1));

/** Writes a text with its length before it; answers where it ends. */
function putText(piece: Buffer, at: number, text: string | null): number {
  if (text === null) return putVarint(piece, at, -1);
  const from = at + varintBytes(text.length);
  const length = piece.write(text, from);
  // It is not ASCII, and so much longer that its length is as well.
  const shift = varintBytes(length) - varintBytes(text.length);
  if (shift > 0) piece.copyWithin(from + shift, from, from + length);
  return putVarint(piece, at, length) + length;
}

/** Seven bits at a time, the lowest first, with the sign in the lowest of all. */
function putVarint(piece: Buffer, at: number, value: number): number {
  let left = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; left > 0x7f; left >>>= 7) piece[at++] = (left & 0x7f) | 0x80;
  piece[at++] = left;
  return at;
}

function varintBytes(value: number): number {
  let count = 1;
  for (let left = value << 1; left > 0x7f; left >>>= 7) count++;
  return count;
}

function oneByOne({ key, data }: EventRecord, headers: readonly string[]): Buffer {
  const value = data === undefined ? null : Buffer.from(data as string);
  const bytes = new Bytes((value?.length ?? 0) + 512);
  bytes.varBytes(key === null ? null : Buffer.from(key));
  bytes.varBytes(value);
  bytes.varint(headers.length / 2);
  for (const text of headers) bytes.varBytes(Buffer.from(text));
  return bytes.taken();
}
