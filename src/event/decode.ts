import { TidingsError } from "../errors/tidings-error.ts";
import { type Contract, yielded } from "./contract.ts";
import { type Event, eventOf } from "./envelope.ts";
import { checkShape, type EventLimits } from "./limits.ts";
import type { EventRecord } from "./record.ts";
import { describe, detailsOf, messageOf, validate } from "./validate.ts";

/**
 * Reads a stored record for a handler of `contract`: parse, pass through the upcasters from the stored version
 * on, validate. One record is none, one or several events, as the upcasters say.
 * Throws TIDINGS_DECODE_FAILED, TIDINGS_UNKNOWN_VERSION, TIDINGS_UPCAST_FAILED and the codes of `validate` and `checkShape`.
 */
export function decode<Type extends string, Out>(
  record: EventRecord,
  contract: Contract<Type, never, Out>,
  limits: EventLimits,
): readonly Event<Type, Out>[] {
  const plain = contract as unknown as Contract;
  const stored = parse(record, plain, limits);
  const version = storedVersion(record, plain);
  if (version === contract.dataVersion) return [eventOf(record, validate(plain, stored, "consume") as Out)];
  return upcast(plain, version, stored).map((data) =>
    eventOf<Type, Out>(record, validate(plain, data, "consume") as Out),
  );
}

function parse(record: EventRecord, contract: Contract, limits: EventLimits): unknown {
  const { data } = record;
  if (data === undefined) return undefined;
  const text = typeof data === "string" ? data : undefined;
  const contentType = record.attributes?.["datacontenttype"];
  if (text === undefined || (contentType !== undefined && !/[/+]json(;|$)/.test(contentType))) {
    throw new TidingsError(
      "TIDINGS_DECODE_FAILED",
      `The event ${record.id} of ${describe(contract)} is not JSON but ${contentType ?? "bytes"}.`,
      { details: { ...detailsOf(contract), id: record.id } },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TidingsError(
      "TIDINGS_DECODE_FAILED",
      `The event ${record.id} of ${describe(contract)} is not valid JSON: ${messageOf(cause)}`,
      {
        cause,
        details: { ...detailsOf(contract), id: record.id },
      },
    );
  }
  checkShape(text, () => value, limits, describe(contract));
  return value;
}

function storedVersion(record: EventRecord, contract: Contract): number {
  const stated = record.attributes?.["dataversion"];
  const version = stated === undefined ? 1 : Number(stated);
  if (Number.isInteger(version) && version >= 1 && version <= contract.dataVersion) return version;
  throw new TidingsError(
    "TIDINGS_UNKNOWN_VERSION",
    `The event ${record.id} of "${contract.type}" has data version ${stated}; this program knows versions 1 to ${contract.dataVersion}. Deploy the newer contract, then redrive it.`,
    { details: { ...detailsOf(contract), id: record.id } },
  );
}

function upcast(contract: Contract, from: number, data: unknown): readonly unknown[] {
  let items: readonly unknown[] = [data];
  for (const step of contract.steps.slice(from)) {
    try {
      items = items.flatMap((item) => yielded((step.upcast as (data: unknown) => unknown)(item)));
    } catch (cause) {
      throw new TidingsError(
        "TIDINGS_UPCAST_FAILED",
        `The upcaster of "${contract.type}" from version ${step.version - 1} to ${step.version} threw: ${messageOf(cause)}`,
        { cause, details: { ...detailsOf(contract), from: step.version - 1, to: step.version } },
      );
    }
  }
  return items;
}
