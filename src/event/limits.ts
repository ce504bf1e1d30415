import { TidingsError } from "../errors/tidings-error.ts";
import { type EventRecord, recordBytes } from "./record.ts";

/** Limits on what an event may be. */
export interface EventLimits {
  /** Largest event in bytes: payload, key and attributes. */
  readonly eventBytesMax: number;
  /** How deep arrays and objects may be nested. */
  readonly depthMax: number;
}

/** One MiB and 64 levels. */
export const defaultLimits: EventLimits = Object.freeze({ eventBytesMax: 1024 * 1024, depthMax: 64 });

/** Whom an error is about: a function, because composing the words costs more than the checks. */
export type Subject = () => string;

/**
 * Refuses valid JSON text that is nested too deep or names a property `__proto__`. Looks only at the text unless that
 * raises a suspicion, which for ordinary events it never does. Throws TIDINGS_EVENT_TOO_DEEP, TIDINGS_FORBIDDEN_PROPERTY.
 */
export function checkShape(text: string, limits: EventLimits, subject: Subject): void {
  if (opening(text, limits.depthMax) > limits.depthMax && depth(text) > limits.depthMax) {
    throw tooDeep(limits, subject);
  }
  // The name may also be written with escapes, all of which begin so.
  if ((text.includes("__proto__") || text.includes("\\u00")) && namesProto(JSON.parse(text))) {
    throw new TidingsError(
      "TIDINGS_FORBIDDEN_PROPERTY",
      `The payload of ${subject()} has a property "__proto__", which is refused.`,
    );
  }
}

/** The error for a payload that is nested too deep. */
export function tooDeep(limits: EventLimits, subject: Subject): TidingsError {
  return new TidingsError(
    "TIDINGS_EVENT_TOO_DEEP",
    `The payload of ${subject()} is nested deeper than ${limits.depthMax} levels; flatten it, or give part of it as text.`,
    { details: { limit: limits.depthMax } },
  );
}

/** How many brackets open in the text, counted no further than `enough`: an upper bound of its depth. */
function opening(text: string, enough: number): number {
  let count = 0;
  for (let at = text.indexOf("{"); at !== -1 && count <= enough; at = text.indexOf("{", at + 1)) count++;
  for (let at = text.indexOf("["); at !== -1 && count <= enough; at = text.indexOf("[", at + 1)) count++;
  return count;
}

/** The depth of valid JSON text. */
function depth(text: string): number {
  let deepest = 0;
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) at = endOfString(text, at);
    else if (unit === 0x7b || unit === 0x5b) deepest = Math.max(deepest, ++open);
    else if (unit === 0x7d || unit === 0x5d) open--;
  }
  return deepest;
}

/** Where the string that opens at `from` closes. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) return at;
    if (unit === 0x5c) at++;
  }
  return text.length;
}

/** Runs after the depth was checked, so the recursion is bounded. */
function namesProto(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(namesProto);
  return Object.keys(value).some(
    (name) => name === "__proto__" || namesProto((value as Record<string, unknown>)[name]),
  );
}

/** Refuses a record that is larger than the limit. Throws TIDINGS_EVENT_TOO_LARGE. */
export function checkSize(record: EventRecord, limits: EventLimits, subject: Subject): void {
  if (surelyAtMost(record, limits.eventBytesMax)) return;
  const bytes = recordBytes(record);
  if (bytes <= limits.eventBytesMax) return;
  throw new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event of ${subject()} has ${bytes} bytes, more than the limit of ${limits.eventBytesMax}; store large data elsewhere and publish a reference to it.`,
    { details: { type: record.type, bytes, limit: limits.eventBytesMax } },
  );
}

/** A code unit is at most 3 bytes, so most records need no exact count. */
function surelyAtMost(record: EventRecord, bytesMax: number): boolean {
  const { attributes, data } = record;
  let units = record.id.length + record.source.length + record.type.length + (record.key?.length ?? 0) + 24;
  for (const name in attributes) units += name.length + (attributes[name] as string).length + 6;
  if (typeof data === "string") units += data.length;
  return units * 3 + (data instanceof Uint8Array ? data.byteLength : 0) <= bytesMax;
}
