import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "./contract.ts";
import { checkShape, type EventLimits } from "./limits.ts";
import { checkExtension } from "./names.ts";
import { type EventRecord, recordBytes } from "./record.ts";
import { describe, detailsOf, messageOf, validate } from "./validate.ts";

/** What a publisher may say about an event beside its data. */
export interface PublishOptions {
  /** The event's id, when the caller has one: publishing it again within the window does nothing. */
  readonly id?: string;
  readonly subject?: string;
  /** When the fact happened; now when absent. */
  readonly time?: Date | string | number;
  /** Overrides the topic's key function. */
  readonly key?: string | null;
  /** After this instant the event is no longer delivered. */
  readonly expiresAt?: Date | string | number;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly tenantId?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** CloudEvents extension attributes of your own: lower-case names. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** What comes from the surroundings of a publish. */
export interface EncodeContext {
  readonly source: string;
  readonly nowMs: number;
  readonly nextId: () => string;
  readonly limits: EventLimits;
  /** The handled event, when a handler publishes. */
  readonly cause?: EventRecord;
}

/** Names of `PublishOptions`, for checks. */
export const publishOptionNames = [
  "id", "subject", "time", "key", "expiresAt", "correlationId", "causationId", "tenantId", "traceparent", "tracestate", "extensions",
] as const; // prettier-ignore

/**
 * Validates data and makes the record that goes to an engine. The wire holds the validated input, not
 * what the schema made of it. Throws the codes of `validate`, `checkShape` and TIDINGS_KEY_FUNCTION,
 * TIDINGS_NOT_SERIALIZABLE, TIDINGS_EVENT_TOO_LARGE, TIDINGS_INVALID_OPTION.
 */
export function encode(
  contract: Contract,
  data: unknown,
  options: PublishOptions | undefined,
  context: EncodeContext,
): EventRecord {
  validate(contract, data, "publish");
  const text = stringify(contract, data);
  checkShape(text, () => JSON.parse(text) as unknown, context.limits, describe(contract));
  const record: EventRecord = {
    id: options?.id === undefined ? context.nextId() : idOf(contract, options.id),
    source: context.source,
    type: contract.type,
    timeMs: options?.time === undefined ? context.nowMs : instant(contract, "time", options.time),
    key: options?.key === undefined ? keyOf(contract, data) : options.key,
    attributes: attributesOf(contract, options, context.cause),
    data: text,
  };
  // A character is at most 3 bytes, so most records need no exact count.
  if (text.length * 3 + 4096 > context.limits.eventBytesMax || record.attributes !== undefined)
    checkSize(contract, record, context.limits);
  return record;
}

function stringify(contract: Contract, data: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    throw new TidingsError(
      "TIDINGS_NOT_SERIALIZABLE",
      `The payload of ${describe(contract)} cannot be written as JSON: ${messageOf(cause)}`,
      {
        cause,
        details: detailsOf(contract),
      },
    );
  }
  if (text === undefined) {
    throw new TidingsError(
      "TIDINGS_NOT_SERIALIZABLE",
      `The payload of ${describe(contract)} is ${typeof data}, which JSON cannot hold.`,
      {
        details: detailsOf(contract),
      },
    );
  }
  return text;
}

function keyOf(contract: Contract, data: unknown): string | null {
  const keyFunction = contract.topic.key;
  if (keyFunction === undefined) return null;
  let key: unknown;
  try {
    key = keyFunction(data as never);
  } catch (cause) {
    throw new TidingsError(
      "TIDINGS_KEY_FUNCTION",
      `The key function of topic "${contract.topic.name}" threw for ${describe(contract)}: ${messageOf(cause)}`,
      {
        cause,
        details: detailsOf(contract),
      },
    );
  }
  if (typeof key === "string" || key === null) return key;
  throw new TidingsError(
    "TIDINGS_KEY_FUNCTION",
    `The key function of topic "${contract.topic.name}" returned ${key === undefined ? "undefined" : typeof key} for ${describe(contract)}; it must return a string, or null for events without a key.`,
    { details: detailsOf(contract) },
  );
}

function idOf(contract: Contract, id: unknown): string {
  if (typeof id === "string" && id.length > 0 && id.length <= 512) return id;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The id of ${describe(contract)} must be a text of 1 to 512 characters.`,
  );
}

function instant(contract: Contract, name: string, value: Date | string | number): number {
  const ms = typeof value === "number" ? value : value instanceof Date ? value.getTime() : Date.parse(value);
  if (Number.isFinite(ms) && Math.abs(ms) <= 8.64e15) return Math.trunc(ms);
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The ${name} of ${describe(contract)} is not an instant: ${JSON.stringify(value)}.`,
  );
}

function attributesOf(
  contract: Contract,
  options: PublishOptions | undefined,
  cause: EventRecord | undefined,
): EventRecord["attributes"] {
  if (options === undefined && cause === undefined && contract.dataVersion === 1) return undefined;
  const attributes: Record<string, string> = {};
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) attributes[name] = String(value);
  };
  if (contract.dataVersion > 1) set("dataversion", String(contract.dataVersion));
  set("subject", options?.subject);
  set("correlationid", options?.correlationId ?? cause?.attributes?.["correlationid"] ?? cause?.id);
  set("causationid", options?.causationId ?? cause?.id);
  set("traceparent", options?.traceparent ?? cause?.attributes?.["traceparent"]);
  set("tracestate", options?.tracestate ?? cause?.attributes?.["tracestate"]);
  set("tenantid", options?.tenantId ?? cause?.attributes?.["tenantid"]);
  if (options?.expiresAt !== undefined)
    set("expirytime", new Date(instant(contract, "expiresAt", options.expiresAt)).toISOString());
  for (const name in options?.extensions) set(checkExtension(name), options.extensions[name]);
  for (const name in attributes) return name === "" ? undefined : attributes;
  return undefined;
}

function checkSize(contract: Contract, record: EventRecord, limits: EventLimits): void {
  const bytes = recordBytes(record);
  if (bytes <= limits.eventBytesMax) return;
  throw new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event of ${describe(contract)} has ${bytes} bytes, more than the limit of ${limits.eventBytesMax}; store large data elsewhere and publish a reference to it.`,
    { details: { ...detailsOf(contract), bytes, limit: limits.eventBytesMax } },
  );
}
