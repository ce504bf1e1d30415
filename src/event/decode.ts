import { TidingsError } from "../errors/tidings-error.ts";
import { type Contract, type VersionStep, yielded } from "./contract.ts";
import { type Event, eventOf } from "./envelope.ts";
import { checkShape, type EventLimits } from "./limits.ts";
import { contentTypeOf, type EventRecord, isJson } from "./record.ts";
import { describe, detailsOf, messageOf, validate } from "./validate.ts";

/**
 * Reads a stored record for a handler of `contract`: parse, pass through the upcasters from the stored version on,
 * validate. One record is none, one or several events, as the upcasters say. Throws TIDINGS_DECODE_FAILED,
 * TIDINGS_UNKNOWN_VERSION, TIDINGS_UPCAST_FAILED and the codes of `validate` and `checkShape`.
 */
export function decode<Type extends string, Out>(
  record: EventRecord,
  contract: Contract<Type, never, Out>,
  limits: EventLimits,
): readonly Event<Type, Out>[] {
  const version = storedVersion(record, contract);
  const stored = parse(record, contract, limits);
  const toEvent = (data: unknown) => eventOf<Type, Out>(record, validate(contract, data, "consume") as Out);
  if (version === contract.dataVersion) return [toEvent(stored)];
  return upcast(contract, version, stored).map(toEvent);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parse(record: EventRecord, contract: Contract, limits: EventLimits): unknown {
  const { data } = record;
  // An event without data may be what the schema asks for; that is for the schema to say.
  if (data === undefined) return undefined;
  const contentType = contentTypeOf(record);
  if (!isJson(contentType)) throw undecodable(record, contract, `is not JSON but ${contentType}.`);
  let text: string;
  let value: unknown;
  try {
    text = typeof data === "string" ? data : utf8.decode(data);
    value = JSON.parse(text);
  } catch (cause) {
    throw undecodable(record, contract, `is not valid JSON: ${messageOf(cause)}`, cause);
  }
  checkShape(text, limits, () => describe(contract));
  return value;
}

function undecodable(record: EventRecord, contract: Contract, problem: string, cause?: unknown): TidingsError {
  return new TidingsError("TIDINGS_DECODE_FAILED", `The event ${record.id} of ${describe(contract)} ${problem}`, {
    cause,
    details: { ...detailsOf(contract), id: record.id },
  });
}

function storedVersion(record: EventRecord, contract: Contract): number {
  const stated = record.attributes?.["dataversion"];
  if (stated === undefined) return 1;
  const version = Number(stated);
  if (Number.isInteger(version) && version >= 1 && version <= contract.dataVersion) return version;
  const known = contract.dataVersion === 1 ? "version 1 only" : `versions 1 to ${contract.dataVersion}`;
  throw new TidingsError(
    "TIDINGS_UNKNOWN_VERSION",
    `The event ${record.id} of "${contract.type}" has data version ${stated}; this program knows ${known}. Deploy the newer contract, then redrive it.`,
    { details: { ...detailsOf(contract), id: record.id, stored: stated } },
  );
}

function upcast(contract: Contract, from: number, data: unknown): readonly unknown[] {
  let items: readonly unknown[] = [data];
  for (const step of contract.steps.slice(from)) {
    items = items.flatMap((item) => applied(contract, step, item));
  }
  return items;
}

function applied(contract: Contract, step: VersionStep, item: unknown): readonly unknown[] {
  let result: unknown;
  try {
    result = (step.upcast as (data: unknown) => unknown)(item);
  } catch (cause) {
    throw upcastFailed(contract, step, `threw: ${messageOf(cause)}`, cause);
  }
  // Forgetting the word "return" or awaiting something would else show as a strange complaint of the schema.
  if (result === undefined)
    throw upcastFailed(contract, step, "returned undefined; return several() to drop an event.");
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw upcastFailed(contract, step, "returned a Promise; it must answer at once.");
  }
  return yielded(result);
}

function upcastFailed(contract: Contract, step: VersionStep, problem: string, cause?: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_UPCAST_FAILED",
    `The upcaster of "${contract.type}" from version ${step.version - 1} to ${step.version} ${problem}`,
    { cause, details: { ...detailsOf(contract), from: step.version - 1, to: step.version } },
  );
}
