import { TidingsError } from "../../errors/tidings-error.ts";
import { recordFromCloudEvent } from "../../event/from-cloud-event.ts";
import { instantOf } from "../../event/instant.ts";
import { isAttributeName, isAttributeText, isEventType, isIdentifier } from "../../event/names.ts";
import { type EventRecord, isJson, type StoredRecord } from "../../event/record.ts";
import { checksumOf, payloadKind } from "./wire.ts";

/** Where a message lies. */
export interface MessagePlace {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly appendedAtMs: number;
  /** The address of the server without secrets: a source for what names none. */
  readonly address: string;
}

/** Type of what is no CloudEvent. */
export const foreignType = "tidings.foreign";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const forgiving = new TextDecoder("utf-8", { ignoreBOM: true });

/** The record of a message, whoever wrote it. Throws TIDINGS_RECORD_CORRUPT for one of ours that does not match its checksum. */
export function recordOf(headers: string, data: Uint8Array, place: MessagePlace): StoredRecord {
  const found = parseHeaders(headers);
  const record = found.ours === undefined ? foreign(found, data, place) : ours(found, data, place);
  const { id, source, type, timeMs, key, attributes } = record;
  const { topic, partition, position, appendedAtMs } = place;
  return { id, source, type, timeMs, key, attributes, data: record.data, topic, partition, position, appendedAtMs };
}

interface Headers {
  /** Values of the headers of CloudEvents without their prefix. */
  readonly ce: Map<string, string>;
  /** What we wrote beside them. */
  ours: string | undefined;
  contentType: string | undefined;
}

function parseHeaders(text: string): Headers {
  const headers: Headers = { ce: new Map(), ours: undefined, contentType: undefined };
  for (let from = text.indexOf("\n") + 1; from > 0 && from < text.length;) {
    let end = text.indexOf("\r\n", from);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", from);
    if (colon > from && colon < end) {
      const name = text.slice(from, colon);
      // Others may write names in another case; ours are looked at as they are.
      if (name.startsWith("ce-") || /^ce-/i.test(name))
        headers.ce.set(name.slice(3).toLowerCase(), value(text, colon, end));
      else if (name === "tidings") headers.ours = value(text, colon, end);
      else if (/^content-type$/i.test(name)) headers.contentType = value(text, colon, end);
    }
    from = end + 2;
  }
  return headers;
}

function value(text: string, colon: number, end: number): string {
  const raw = text.slice(colon + 1, end).trim();
  return raw.includes("%") ? unescape(raw) : raw;
}

/** What is no percent-encoding stands for itself. */
function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function ours({ ce, ours: mark = "" }: Headers, data: Uint8Array, place: MessagePlace): EventRecord {
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
  if (mark.slice(1) === checksumOf(record, kind, data)) return record;
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
function foreign({ ce, contentType }: Headers, data: Uint8Array, place: MessagePlace): EventRecord {
  const text = textOf(data);
  return (
    binary(ce, text ?? data, place) ?? structured(contentType, text, place) ?? unknown(contentType, text, data, place)
  );
}

function binary(ce: Map<string, string>, data: string | Uint8Array, place: MessagePlace): EventRecord | undefined {
  const [id, source, type] = [ce.get("id"), ce.get("source"), ce.get("type")];
  if (ce.get("specversion") !== "1.0" || !isIdentifier(id) || !isEventType(type) || !source) return undefined;
  const key = ce.get("partitionkey");
  if (key !== undefined && !isIdentifier(key)) return undefined;
  for (const [name, text] of ce) if (!isAttributeName(name) || !isAttributeText(text)) return undefined;
  const { datacontenttype, ...others } = attributesOf(ce) ?? {};
  // What others leave out means JSON, as with us; bytes that are no text need a name of their own.
  const contentType = datacontenttype ?? (typeof data === "string" ? "application/json" : "application/octet-stream");
  const attributes = contentType === "application/json" ? others : { datacontenttype: contentType, ...others };
  return {
    id, source, type, timeMs: instantOf(ce.get("time")) ?? place.appendedAtMs, key: key ?? null,
    attributes: Object.keys(attributes).length === 0 ? undefined : attributes,
    data: typeof data === "string" && data === "" ? undefined : textual(contentType) ? data : bytesOf(data),
  }; // prettier-ignore
}

function structured(
  contentType: string | undefined,
  text: string | undefined,
  place: MessagePlace,
): EventRecord | undefined {
  // Before NATS had headers, the binding knew nothing else, without a content type.
  if (text === undefined || (contentType !== undefined && !/^application\/cloudevents\b/i.test(contentType)))
    return undefined;
  if (!text.includes('"specversion"')) return undefined;
  try {
    return recordFromCloudEvent(JSON.parse(text), { timeMs: place.appendedAtMs });
  } catch {
    return undefined;
  }
}

/** What is no CloudEvent: its place is its id, so that it is the same event for everybody who reads it. */
function unknown(
  contentType: string | undefined,
  text: string | undefined,
  data: Uint8Array,
  { address, topic, partition, position, appendedAtMs }: MessagePlace,
): EventRecord {
  const isText = text !== undefined && (contentType === undefined || textual(contentType));
  const type = contentType ?? (text === undefined ? "application/octet-stream" : guess(text));
  return {
    id: `${partition}-${position}`,
    source: `${address.split("?", 1)[0] as string}/${topic}`,
    type: foreignType,
    timeMs: appendedAtMs,
    key: null,
    attributes: type === "application/json" || !isAttributeText(type) ? undefined : { datacontenttype: type },
    data: isText ? text : new Uint8Array(data),
  };
}

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

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
}

function textOf(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}
