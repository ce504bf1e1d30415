import { recordFromCloudEvent } from "../../event/from-cloud-event.ts";
import { instantOf } from "../../event/instant.ts";
import { isAttributeName, isAttributeText, isEventType, isIdentifier } from "../../event/names.ts";
import { type EventRecord, isJson } from "../../event/record.ts";
import { attributesOf, type Carried } from "./envelope.ts";
import type { MessagePlace } from "./rejections.ts";

/** Type of what is no CloudEvent. */
export const foreignType = "tidings.foreign";
/** Type of what stands at positions without an event: notes of the broker's own, and what somebody has removed. */
export const gapType = "tidings.gap";

/** A message that somebody else has written. */
export interface ForeignMessage {
  /** Values of the headers of CloudEvents without their prefix. */
  readonly ce: Carried;
  /** What the broker carries as media type, or the header of that name. */
  readonly contentType: string | undefined;
  /** Null for none at all. */
  readonly data: Uint8Array | null;
  /** The key that the message itself has, where brokers know such a thing and it can be one of ours. */
  readonly key?: string | null;
  readonly appendedAtMs: number;
  /** Structured mode without a media type, where the binding has known no headers before. */
  readonly maybeStructured?: boolean;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The event of a message that others wrote: a CloudEvent in binary or structured mode, or whatever it is. Never throws. */
export function foreignEvent(message: ForeignMessage, place: MessagePlace): EventRecord {
  const text = textOf(message.data ?? new Uint8Array());
  return binary(message, text) ?? structured(message, text) ?? unknown(message, text, place);
}

/** The event of a position that has none, so that positions go on by one. */
export function gapEvent(place: MessagePlace, timeMs: number): EventRecord {
  return { ...identityOf(place), type: gapType, timeMs, key: null, attributes: undefined, data: undefined };
}

/** Its place is its id, so that it is the same event for everybody who reads it. */
function identityOf({ address, topic, partition, position }: MessagePlace): { id: string; source: string } {
  return { id: `${partition}-${position}`, source: `${address.split("?", 1)[0] as string}/${topic}` };
}

function binary(message: ForeignMessage, text: string | undefined): EventRecord | undefined {
  const { ce, data, appendedAtMs } = message;
  const [id, source, type] = [ce.get("id"), ce.get("source"), ce.get("type")];
  if (ce.get("specversion") !== "1.0" || !isIdentifier(id) || !isEventType(type) || !source) return undefined;
  const key = ce.get("partitionkey") ?? message.key ?? null;
  if (key !== null && !isIdentifier(key)) return undefined;
  for (const [name, value] of ce) if (!isAttributeName(name) || !isAttributeText(value)) return undefined;
  // What others leave out means JSON, as with us; bytes that are no text need a name of their own.
  const contentType =
    message.contentType ??
    ce.get("datacontenttype") ??
    (text === undefined ? "application/octet-stream" : "application/json");
  if (!isAttributeText(contentType)) return undefined;
  const { datacontenttype: _, ...others } = attributesOf(ce) ?? {};
  const attributes = contentType === "application/json" ? others : { datacontenttype: contentType, ...others };
  return {
    id,
    source,
    type,
    timeMs: instantOf(ce.get("time")) ?? appendedAtMs,
    key,
    attributes: Object.keys(attributes).length === 0 ? undefined : attributes,
    data: data === null ? undefined : text !== undefined && isTextual(contentType) ? text : new Uint8Array(data),
  };
}

function structured(
  { contentType, key = null, appendedAtMs, maybeStructured = false }: ForeignMessage,
  text: string | undefined,
): EventRecord | undefined {
  if (text === undefined) return undefined;
  const isSaid = contentType !== undefined && /^application\/cloudevents\b/i.test(contentType);
  if (!isSaid && !(maybeStructured && contentType === undefined && text.includes('"specversion"'))) return undefined;
  try {
    const record = recordFromCloudEvent(JSON.parse(text), { timeMs: appendedAtMs });
    return record.key === null ? { ...record, key } : record;
  } catch {
    return undefined;
  }
}

function unknown(
  { contentType, data, key = null, appendedAtMs }: ForeignMessage,
  text: string | undefined,
  place: MessagePlace,
): EventRecord {
  const isText = text !== undefined && (contentType === undefined || isTextual(contentType));
  const type = contentType ?? (text === undefined ? "application/octet-stream" : guess(text));
  const isNamed = data !== null && type !== "application/json" && isAttributeText(type);
  return {
    ...identityOf(place),
    type: foreignType,
    timeMs: appendedAtMs,
    key,
    attributes: isNamed ? { datacontenttype: type } : undefined,
    data: data === null ? undefined : isText ? text : new Uint8Array(data),
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

function isTextual(contentType: string): boolean {
  return isJson(contentType) || /^(text\/|application\/([\w.+-]+\+)?xml)/i.test(contentType);
}

/** The text of bytes; undefined where they are none. */
export function textOf(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}
