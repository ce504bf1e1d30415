import { TidingsError } from "../errors/tidings-error.ts";
import { instantOf } from "./instant.ts";
import { checkShape, checkSize, defaultLimits, type EventLimits, type Subject, tooDeep } from "./limits.ts";
import {
  identifierLengthMax,
  isAttributeName,
  isAttributeText,
  isEventType,
  isIdentifier,
  relayAttributes,
} from "./names.ts";
import { contentTypeOf, type EventRecord, isJson } from "./record.ts";
import { messageOf } from "./validate.ts";

/** What `recordFromCloudEvent` takes. */
export interface CloudEventInput {
  /** The time of events that state none, in milliseconds; without it such an event is refused. */
  readonly timeMs?: number;
  readonly limits?: EventLimits;
}

/**
 * Reads an event in the structured JSON format of CloudEvents 1.0, parsed but not trusted: the inverse of
 * `cloudEventJson`. Attributes that only repeat what their absence means (`application/json`, a `correlationid` that
 * is the own id) are left out, and so is where a relay has sent it. Throws TIDINGS_INVALID_INPUT naming the attribute, TIDINGS_EVENT_TOO_LARGE,
 * TIDINGS_EVENT_TOO_DEEP, TIDINGS_FORBIDDEN_PROPERTY.
 */
export function recordFromCloudEvent(json: unknown, input: CloudEventInput = {}): EventRecord {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw refused("event", "A CloudEvent in JSON is an object", json);
  }
  const members = json as Readonly<Record<string, unknown>>;
  if (members["specversion"] !== "1.0") throw wrong("specversion", `must be "1.0"`, members["specversion"]);
  const id = identifier("id", members["id"]);
  const limits = input.limits ?? defaultLimits;
  const subject = (): string => `the CloudEvent with id ${id}`;
  const attributes = extensionsOf(members, id);
  const record: EventRecord = {
    id,
    source: text("source", members["source"]),
    type: typeOf(members["type"]),
    timeMs: timeOf(members["time"], input.timeMs),
    key: absent(members["partitionkey"]) ? null : identifier("partitionkey", members["partitionkey"]),
    attributes,
    data: dataOf(members, attributes?.["datacontenttype"] ?? "application/json", limits, subject),
  };
  if (typeof record.data === "string" && isJson(contentTypeOf(record))) checkShape(record.data, limits, subject);
  checkSize(record, limits, subject);
  return record;
}

/** An attribute whose value is null is not there, says CloudEvents. */
function absent(value: unknown): boolean {
  return value === undefined || value === null;
}

function text(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && isAttributeText(value)) return value;
  throw wrong(name, "must be text of at least one character, without control characters", value);
}

function identifier(name: string, value: unknown): string {
  if (isIdentifier(value)) return value;
  throw wrong(name, `must be text of 1 to ${identifierLengthMax} characters, without control characters`, value);
}

function typeOf(value: unknown): string {
  if (isEventType(value)) return value;
  throw wrong("type", "must be text of 1 to 255 characters without blanks", value);
}

function timeOf(value: unknown, otherwise: number | undefined): number {
  if (absent(value) && otherwise !== undefined) return otherwise;
  const ms = typeof value === "string" ? instantOf(value) : undefined;
  if (ms !== undefined) return ms;
  throw wrong("time", "must be a date and time with a zone as in RFC 3339, such as 2026-01-31T12:00:00Z", value);
}

/** Members that are not kept as attributes of the record. */
const apart = new Set(["specversion", "id", "source", "type", "time", "partitionkey", "data", "data_base64"]);

function extensionsOf(members: Readonly<Record<string, unknown>>, id: string): EventRecord["attributes"] {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(members)) {
    // Whoever publishes it now is not the relay that did.
    if (apart.has(name) || relayAttributes.has(name) || absent(value)) continue;
    if (!isAttributeName(name)) {
      throw refused(name, `The attribute name ${JSON.stringify(name)} must be 1 to 32 lower-case letters and digits`);
    }
    const stated = attribute(name, value);
    if (name === "datacontenttype" && stated === "application/json") continue;
    if (name === "correlationid" && stated === id) continue;
    attributes[name] = stated;
  }
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

/** An attribute of one of the types that JSON has for them: text, boolean, or a whole number of 32 bits. */
function attribute(name: string, value: unknown): string {
  const isNumber = (typeof value === "string" || typeof value === "number") && /^[1-9]\d{0,8}$/.test(`${value}`);
  if (name === "dataversion" && !isNumber) {
    throw wrong(name, "must be a whole number of at least 1", value);
  }
  if (name === "expirytime" && (typeof value !== "string" || instantOf(value) === undefined)) {
    throw wrong(name, "must be a date and time with a zone as in RFC 3339, such as 2026-01-31T12:00:00Z", value);
  }
  if (typeof value === "boolean" || (typeof value === "number" && (value | 0) === value)) return String(value);
  return text(name, value);
}

function dataOf(
  members: Readonly<Record<string, unknown>>,
  contentType: string,
  limits: EventLimits,
  subject: Subject,
): EventRecord["data"] {
  const { data, data_base64: base64 } = members;
  if (!absent(base64)) {
    if (data !== undefined) throw wrong("data_base64", `must not stand beside "data"`, base64);
    return bytesOf(base64);
  }
  if (data === undefined) return undefined;
  if (!isJson(contentType)) {
    if (typeof data === "string") return data;
    throw wrong("data", `must be text for the content type ${contentType}`, data);
  }
  try {
    return JSON.stringify(data);
  } catch (cause) {
    // What was parsed can be written again unless the nesting uses up the stack.
    if (cause instanceof RangeError) throw tooDeep(limits, subject);
    throw refused("data", `The data of a CloudEvent cannot be written as JSON: ${messageOf(cause)}`);
  }
}

function bytesOf(base64: unknown): Uint8Array {
  // atob forgives blanks and missing padding, which hide a cut-off value.
  if (typeof base64 === "string" && base64.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }
  throw wrong("data_base64", "must be Base64 text with its padding", base64);
}

function wrong(name: string, rule: string, value: unknown): TidingsError {
  return refused(name, `The attribute "${name}" of a CloudEvent ${rule}`, value);
}

function refused(attribute: string, problem: string, value?: unknown): TidingsError {
  const shown =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, 60))
      : typeof value === "number" || typeof value === "boolean"
        ? String(value)
        : Object.prototype.toString.call(value);
  return new TidingsError("TIDINGS_INVALID_INPUT", absent(value) ? `${problem}.` : `${problem}, not ${shown}.`, {
    details: { attribute },
  });
}
