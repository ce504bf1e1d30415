import { TidingsError } from "../../errors/tidings-error.ts";
import { recordFromCloudEvent } from "../../event/from-cloud-event.ts";
import { instantOf } from "../../event/instant.ts";
import { isAttributeName, isAttributeText, isEventType, isIdentifier } from "../../event/names.ts";
import { type EventRecord, isJson, type StoredRecord } from "../../event/record.ts";
import type { Found } from "./batch.ts";
import { Scan } from "./bytes.ts";
import { checksumOf, contentKind, payloadKind } from "./wire.ts";

/** Where a record lies. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  /** The address of the brokers without secrets: a source for what names none. */
  readonly address: string;
}

/** Type of what is no CloudEvent. */
export const foreignType = "tidings.foreign";
/** Type of what stands at positions without an event. */
export const gapType = "tidings.gap";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const forgiving = new TextDecoder("utf-8", { ignoreBOM: true });

/** The event that was found, whoever wrote it. Throws TIDINGS_RECORD_CORRUPT. */
export function recordOf(found: Found, place: RecordPlace): StoredRecord {
  const { position, appendedAtMs } = found;
  const { id, source, type, timeMs, key, attributes, data } = eventOf(found, place);
  const { topic, partition } = place;
  return { id, source, type, timeMs, key, attributes, data, topic, partition, position, appendedAtMs };
}

function eventOf(found: Found, place: RecordPlace): EventRecord {
  if (found.broken) throw corrupt(found, place);
  if (found.body === undefined) return gapOf(found, place);
  let message: Message;
  try {
    message = messageOf(found.body);
  } catch (error) {
    if (error instanceof RangeError) throw corrupt(found, place);
    throw error;
  }
  if (message.ours !== undefined) return ours(message, found, place);
  // What is not ours has no checksum but that of its batch.
  if (!found.sound()) throw corrupt(found, place);
  return foreign(message, found, place);
}

interface Message {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Values of the headers of CloudEvents without their prefix. */
  readonly ce: Map<string, string>;
  /** What we wrote beside them. */
  readonly ours: string | undefined;
  readonly contentType: string | undefined;
}

function messageOf(body: Buffer): Message {
  const scan = new Scan(body);
  const key = scan.varBytes();
  const value = scan.varBytes();
  const ce = new Map<string, string>();
  let [ours, contentType]: (string | undefined)[] = [];
  for (let count = scan.varint(); count > 0; count--) {
    const name = scan.varBytes()?.toString("latin1") ?? "";
    const text = scan.varBytes();
    if (text === null) continue;
    if (name.startsWith("ce_")) ce.set(name.slice(3), text.toString());
    else if (name === "tidings") ours = text.toString("latin1");
    else if (name === "content-type" || /^content-type$/i.test(name)) contentType = text.toString();
  }
  return { key, value, ce, ours, contentType };
}

function ours({ ce, ours: mark = "", contentType, value }: Message, found: Found, place: RecordPlace): EventRecord {
  const kind = mark.slice(0, 1);
  const named = mark.slice(1, 2) === contentKind.named;
  const payload = value ?? nothing;
  let data: EventRecord["data"];
  if (kind === payloadKind.text) data = forgiving.decode(payload);
  else if (kind === payloadKind.bytes) data = new Uint8Array(payload);
  const record: EventRecord = {
    id: ce.get("id") ?? "",
    source: ce.get("source") ?? "",
    type: ce.get("type") ?? "",
    timeMs: Date.parse(ce.get("time") ?? ""),
    key: ce.get("partitionkey") ?? null,
    attributes: attributesOf(ce, named ? contentType : undefined),
    data,
  };
  if (mark.slice(2) === checksumOf(record, kind, payload)) return record;
  throw corrupt(found, place);
}

const nothing = Buffer.alloc(0);

function corrupt({ position }: Found, { topic, partition }: RecordPlace): TidingsError {
  return new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The event at position ${position} of topic "${topic}", partition ${partition}, does not match its checksum; ` +
      'restore it from a replica or a backup. "tidings engine verify" lists all that is damaged.',
    { details: { topic, partition, position } },
  );
}

const own = new Set(["specversion", "id", "source", "type", "time", "partitionkey"]);

function attributesOf(ce: ReadonlyMap<string, string>, contentType: string | undefined): EventRecord["attributes"] {
  let attributes: Record<string, string> | undefined;
  if (contentType !== undefined) attributes = { datacontenttype: contentType };
  for (const [name, value] of ce) {
    if (own.has(name)) continue;
    attributes ??= {};
    attributes[name] = value;
  }
  return attributes;
}

/** What stands where there is no event: the mark of somebody's transaction, or what compaction has removed. */
function gapOf({ position, appendedAtMs }: Found, place: RecordPlace): EventRecord {
  return { ...identityOf(position, place), type: gapType, timeMs: appendedAtMs, key: null, attributes: undefined, data: undefined }; // prettier-ignore
}

/** Its place is its id, so that it is the same event for everybody who reads it. */
function identityOf(position: number, { address, topic, partition }: RecordPlace): { id: string; source: string } {
  return { id: `${partition}-${position}`, source: `${address.split("?", 1)[0] as string}/${topic}` };
}

/** A message of somebody else: a CloudEvent in binary or structured mode, or whatever it is. Never throws. */
function foreign(message: Message, found: Found, place: RecordPlace): EventRecord {
  const text = textOf(message.value ?? nothing);
  return binary(message, text, found) ?? structured(message, text, found) ?? unknown(message, text, found, place);
}

function binary(
  { ce, contentType, value, key }: Message,
  text: string | undefined,
  found: Found,
): EventRecord | undefined {
  const [id, source, type] = [ce.get("id"), ce.get("source"), ce.get("type")];
  if (ce.get("specversion") !== "1.0" || !isIdentifier(id) || !isEventType(type) || !source) return undefined;
  for (const [name, said] of ce) if (!isAttributeName(name) || !isAttributeText(said)) return undefined;
  if (contentType !== undefined && !isAttributeText(contentType)) return undefined;
  const partitionKey = ce.get("partitionkey") ?? keyOf(key);
  if (partitionKey !== null && !isIdentifier(partitionKey)) return undefined;
  // What others leave out means JSON, as with us; bytes that are no text need a name of their own.
  const named = contentType ?? (text === undefined ? "application/octet-stream" : "application/json");
  const data = value === null ? undefined : text !== undefined && textual(named) ? text : new Uint8Array(value);
  const attributes = attributesOf(ce, named === "application/json" ? undefined : named);
  return {
    id,
    source,
    type,
    timeMs: instantOf(ce.get("time")) ?? found.appendedAtMs,
    key: partitionKey,
    attributes,
    data,
  };
}

function structured({ contentType, key }: Message, text: string | undefined, found: Found): EventRecord | undefined {
  if (text === undefined || contentType === undefined || !/^application\/cloudevents\b/i.test(contentType))
    return undefined;
  try {
    const record = recordFromCloudEvent(JSON.parse(text), { timeMs: found.appendedAtMs });
    return record.key === null ? { ...record, key: keyOf(key) } : record;
  } catch {
    return undefined;
  }
}

/** What is no CloudEvent. */
function unknown(
  { contentType, value, key }: Message,
  text: string | undefined,
  found: Found,
  place: RecordPlace,
): EventRecord {
  const isText = text !== undefined && (contentType === undefined || textual(contentType));
  const type = contentType ?? (text === undefined ? "application/octet-stream" : guess(text));
  return {
    ...identityOf(found.position, place),
    type: foreignType,
    timeMs: found.appendedAtMs,
    key: keyOf(key),
    attributes:
      value === null || type === "application/json" || !isAttributeText(type) ? undefined : { datacontenttype: type },
    data: value === null ? undefined : isText ? text : new Uint8Array(value),
  };
}

/** The key of the message, where it can be a key of ours. */
function keyOf(key: Buffer | null): string | null {
  const text = key === null ? undefined : textOf(key);
  return isIdentifier(text) ? text : null;
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

function textOf(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}
