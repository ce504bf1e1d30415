import type { ConsumeMessage } from "amqplib";
import { TidingsError } from "../../errors/tidings-error.ts";
import { recordFromCloudEvent } from "../../event/from-cloud-event.ts";
import { instantOf } from "../../event/instant.ts";
import { isAttributeName, isAttributeText, isEventType, isIdentifier } from "../../event/names.ts";
import { type EventRecord, isJson, type StoredRecord } from "../../event/record.ts";
import { headerOf } from "./feed.ts";
import { checksumOf, payloadKind } from "./wire.ts";

/** Where a message lies. */
export interface MessagePlace {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** The address of the server without secrets: a source for what names none. */
  readonly address: string;
}

/** Type of what is no CloudEvent. */
export const foreignType = "tidings.foreign";
/** Type of what stands where the server keeps a note of its own, which nobody can read. */
export const gapType = "tidings.gap";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const forgiving = new TextDecoder("utf-8", { ignoreBOM: true });

interface Found {
  /** Values of the headers of CloudEvents without their prefix. */
  readonly ce: Map<string, string>;
  readonly contentType: string | undefined;
  readonly data: Uint8Array;
  /** When it was appended, as far as somebody said so; else 0. */
  readonly appendedAtMs: number;
}

/** The record of a message, whoever wrote it. Throws TIDINGS_RECORD_CORRUPT for one of ours that does not match its checksum. */
export function recordOf(message: ConsumeMessage, place: MessagePlace): StoredRecord {
  const mark = markOf(message);
  const found: Found = {
    ce: cloudEventHeaders(message),
    contentType: textOr(message.properties.contentType as unknown),
    data: message.content,
    appendedAtMs: appendedAt(message),
  };
  const record = mark === undefined ? foreign(found, place) : ours(found, mark, place);
  const { id, source, type, timeMs, key, attributes } = record;
  const { topic, partition, position } = place;
  return { id, source, type, timeMs, key, attributes, data: record.data, topic, partition, position, appendedAtMs: found.appendedAtMs }; // prettier-ignore
}

/** What is handed out for a place that the server uses itself, so that positions go on by one. */
export function gapRecord({ topic, partition, position, address }: MessagePlace, appendedAtMs: number): StoredRecord {
  return {
    id: `${partition}-${position}`, source: sourceOf(address, topic), type: gapType, timeMs: appendedAtMs, key: null,
    attributes: undefined, data: undefined, topic, partition, position, appendedAtMs,
  }; // prettier-ignore
}

/** When a message was appended, by the clock of whoever did: the server does not tell its own. 0 when nobody said. */
export function appendedAt(message: ConsumeMessage): number {
  const ours = markOf(message);
  if (ours !== undefined) return parseInt(ours.slice(9), 36);
  const { timestamp } = message.properties as { timestamp?: unknown };
  // By the server's interceptor, when the operator has it set.
  const exactly = headerOf(message, "timestamp_in_ms");
  if (typeof exactly === "number") return exactly;
  return typeof timestamp === "number" && Number.isSafeInteger(timestamp * 1000) ? timestamp * 1000 : 0;
}

/** What we write beside a CloudEvent: kind of the payload, 8 digits of checksum, time. */
function markOf(message: ConsumeMessage): string | undefined {
  const mark = headerOf(message, "tidings");
  return typeof mark === "string" && /^[sbn][0-9a-f]{8}[0-9a-z]+$/.test(mark) ? mark : undefined;
}

const prefixes = /^cloudEvents[:_]/;

function cloudEventHeaders({ properties }: ConsumeMessage): Map<string, string> {
  const found = new Map<string, string>();
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  for (const name in headers) {
    if (!prefixes.test(name)) continue;
    const text = textOr(headers[name]);
    if (text !== undefined) found.set(name.slice(12), text);
  }
  return found;
}

/** A value of a header as CloudEvents write it; undefined for what is no attribute. */
function textOr(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  const { "!": kind, value: inner } = (value ?? {}) as { readonly "!"?: string; readonly value?: unknown };
  if (kind === "timestamp" && typeof inner === "number" && Math.abs(inner) < 8.64e12)
    return new Date(inner * 1000).toISOString();
  return undefined;
}

function ours({ ce, data }: Found, mark: string, place: MessagePlace): EventRecord {
  const kind = mark.slice(0, 1);
  let payload: EventRecord["data"];
  if (kind === payloadKind.text) payload = forgiving.decode(data);
  else if (kind === payloadKind.bytes) payload = new Uint8Array(data);
  const record: EventRecord = {
    id: ce.get("id") ?? "",
    source: ce.get("source") ?? "",
    type: ce.get("type") ?? "",
    timeMs: Date.parse(ce.get("time") ?? ""),
    key: ce.get("partitionkey") ?? null,
    attributes: attributesOf(ce),
    data: payload,
  };
  if (mark.slice(1, 9) === checksumOf(record, kind, data)) return record;
  const { topic, partition, position } = place;
  throw new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The event at position ${position} of topic "${topic}", partition ${partition}, does not match its checksum; ` +
      'restore it from a backup. "tidings engine verify" lists all that is damaged.',
    { details: { topic, partition, position } },
  );
}

const own = new Set(["specversion", "id", "source", "type", "time", "partitionkey"]);

function attributesOf(ce: ReadonlyMap<string, string>): EventRecord["attributes"] {
  let attributes: Record<string, string> | undefined;
  for (const [name, value] of ce) {
    if (own.has(name)) continue;
    attributes ??= {};
    attributes[name] = value;
  }
  return attributes;
}

/** A message of somebody else: a CloudEvent in binary or structured mode, or whatever it is. Never throws. */
function foreign(found: Found, place: MessagePlace): EventRecord {
  const text = textOf(found.data);
  return binary(found, text) ?? structured(found, text) ?? unknown(found, text, place);
}

function binary({ ce, contentType: property, data, appendedAtMs }: Found, text?: string): EventRecord | undefined {
  const [id, source, type] = [ce.get("id"), ce.get("source"), ce.get("type")];
  if (ce.get("specversion") !== "1.0" || !isIdentifier(id) || !isEventType(type) || !source) return undefined;
  const key = ce.get("partitionkey");
  if (key !== undefined && !isIdentifier(key)) return undefined;
  for (const [name, value] of ce) if (!isAttributeName(name) || !isAttributeText(value)) return undefined;
  const { datacontenttype, ...others } = attributesOf(ce) ?? {};
  // What others leave out means JSON, as with us; bytes that are no text need a name of their own.
  const contentType =
    property ?? datacontenttype ?? (text === undefined ? "application/octet-stream" : "application/json");
  if (!isAttributeText(contentType)) return undefined;
  const attributes = contentType === "application/json" ? others : { datacontenttype: contentType, ...others };
  return {
    id, source, type, timeMs: instantOf(ce.get("time")) ?? appendedAtMs, key: key ?? null,
    attributes: Object.keys(attributes).length === 0 ? undefined : attributes,
    data: data.length === 0 ? undefined : text !== undefined && textual(contentType) ? text : new Uint8Array(data),
  }; // prettier-ignore
}

function structured({ contentType, appendedAtMs }: Found, text?: string): EventRecord | undefined {
  if (text === undefined || contentType === undefined || !/^application\/cloudevents\b/i.test(contentType))
    return undefined;
  try {
    return recordFromCloudEvent(JSON.parse(text), { timeMs: appendedAtMs });
  } catch {
    return undefined;
  }
}

/** What is no CloudEvent: its place is its id, so that it is the same event for everybody who reads it. */
function unknown(
  { contentType, data, appendedAtMs }: Found,
  text: string | undefined,
  { address, topic, partition, position }: MessagePlace,
): EventRecord {
  const isText = text !== undefined && (contentType === undefined || textual(contentType));
  const type = contentType ?? (text === undefined ? "application/octet-stream" : guess(text));
  return {
    id: `${partition}-${position}`,
    source: sourceOf(address, topic),
    type: foreignType,
    timeMs: appendedAtMs,
    key: null,
    attributes: type === "application/json" || !isAttributeText(type) ? undefined : { datacontenttype: type },
    data: isText ? text : new Uint8Array(data),
  };
}

const sourceOf = (address: string, topic: string): string => `${address.split("?", 1)[0] as string}/${topic}`;

function guess(text: string): string {
  try {
    JSON.parse(text);
    return "application/json";
  } catch {
    return "text/plain";
  }
}

function textual(contentType: string): boolean {
  return isJson(contentType) || /^(text\/|application\/([\w.+-]+\+)?xml)/i.test(contentType);
}

function textOf(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}
