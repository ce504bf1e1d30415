import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "./contract.ts";
import { formatTime, instantOf } from "./instant.ts";
import { checkExtension, identifierLengthMax, isAttributeText, isIdentifier } from "./names.ts";
import type { EventRecord } from "./record.ts";
import { describe, detailsOf } from "./validate.ts";

/** What a publisher may say about an event beside its data. */
export interface PublishOptions {
  /** The event's id, when the caller has one: publishing it again within the window does nothing. */
  readonly id?: string | undefined;
  /** What the event is about, within its source; text for people and filters. */
  readonly subject?: string | undefined;
  /** When the fact happened; now when absent. Text is RFC 3339 with a zone, a number is milliseconds since 1970. */
  readonly time?: Date | string | number | undefined;
  /** Overrides the topic's key function. */
  readonly key?: string | null | undefined;
  /** After this instant the event is no longer delivered. */
  readonly expiresAt?: Date | string | number | undefined;
  readonly correlationId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** CloudEvents extension attributes of your own: lower-case names. */
  readonly extensions?: Readonly<Record<string, string>> | undefined;
}

/** Names of `PublishOptions`, for checks. */
export const publishOptionNames = [
  "id", "subject", "time", "key", "expiresAt", "correlationId", "causationId", "tenantId", "traceparent", "tracestate", "extensions",
] as const satisfies readonly (keyof PublishOptions)[]; // prettier-ignore

/** The attributes of an event beside its id, source, type, time and key; undefined when there is none. */
export function attributesOf(
  contract: Contract,
  options: PublishOptions | undefined,
  cause: EventRecord | undefined,
): EventRecord["attributes"] {
  if (options === undefined && cause === undefined && contract.dataVersion === 1) return undefined;
  const attributes: Record<string, string> = {};
  if (contract.dataVersion > 1) attributes["dataversion"] = String(contract.dataVersion);
  if (cause !== undefined) inherit(attributes, cause);
  if (options !== undefined) state(attributes, contract, options);
  else return attributes;
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

/** What flows from a handled event to all that its handler publishes. */
function inherit(attributes: Record<string, string>, cause: EventRecord): void {
  attributes["causationid"] = cause.id;
  const flowing = cause.attributes;
  if (flowing === undefined) {
    attributes["correlationid"] = cause.id;
    return;
  }
  attributes["correlationid"] = flowing["correlationid"] ?? cause.id;
  const { traceparent, tracestate, tenantid } = flowing;
  if (traceparent !== undefined) attributes["traceparent"] = traceparent;
  if (tracestate !== undefined) attributes["tracestate"] = tracestate;
  if (tenantid !== undefined) attributes["tenantid"] = tenantid;
}

/** What the publisher says goes above what flows. */
function state(attributes: Record<string, string>, contract: Contract, options: PublishOptions): void {
  const set = (name: string, option: string, value: unknown): void => {
    if (value !== undefined) attributes[name] = textOf(contract, option, value);
  };
  set("subject", "subject", options.subject);
  set("correlationid", "correlationId", options.correlationId);
  set("causationid", "causationId", options.causationId);
  set("tenantid", "tenantId", options.tenantId);
  // A tracestate belongs to its traceparent, never to the one of the cause.
  if (options.traceparent !== undefined) delete attributes["tracestate"];
  set("traceparent", "traceparent", options.traceparent);
  set("tracestate", "tracestate", options.tracestate);
  if (options.expiresAt !== undefined) {
    attributes["expirytime"] = formatTime(checkInstant(contract, "expiresAt", options.expiresAt));
  }
  for (const [name, value] of Object.entries(options.extensions ?? {})) {
    set(checkExtension(name), `extensions.${name}`, value);
  }
}

function textOf(contract: Contract, option: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && isAttributeText(value)) return value;
  throw refused(contract, option, "must be text of at least one character, without control characters");
}

/** Refuses an id that not every engine can hold. Throws TIDINGS_INVALID_OPTION. */
export function checkId(contract: Contract, id: unknown): string {
  if (isIdentifier(id)) return id;
  throw refused(contract, "id", `must be text of 1 to ${identifierLengthMax} characters, without control characters`);
}

/** The instant in milliseconds. Throws TIDINGS_INVALID_OPTION. */
export function checkInstant(contract: Contract, option: string, value: unknown): number {
  const ms = instantOf(value);
  if (ms !== undefined) return ms;
  throw refused(
    contract,
    option,
    `is not an instant (${String(value)}): give a Date, milliseconds since 1970, or text with a zone such as 2026-01-31T12:00:00Z`,
  );
}

function refused(contract: Contract, option: string, rule: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option ${option} for ${describe(contract)} ${rule}.`, {
    details: { ...detailsOf(contract), option },
  });
}
