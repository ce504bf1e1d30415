import { TidingsError } from "../errors/tidings-error.ts";
import { checkOptions } from "../lib/options.ts";
import type { Contract } from "./contract.ts";
import { proveJson, toJson } from "./json.ts";
import { checkShape, checkSize, type EventLimits } from "./limits.ts";
import { identifierLengthMax, isIdentifier } from "./names.ts";
import { attributesOf, checkId, checkInstant, type PublishOptions, publishOptionNames } from "./options.ts";
import type { EventRecord } from "./record.ts";
import { describe, detailsOf, messageOf, validate } from "./validate.ts";

export { type PublishOptions, publishOptionNames } from "./options.ts";

/** What comes from the surroundings of a publish. */
export interface EncodeContext {
  readonly source: string;
  readonly nowMs: number;
  readonly nextId: () => string;
  readonly limits: EventLimits;
  /** The handled event, when a handler publishes. */
  readonly cause?: EventRecord | undefined;
}

/**
 * Validates data and makes the record that goes to an engine. The wire holds the validated input, not what the schema
 * made of it. Throws the codes of `validate`, `toJson`, `proveJson`, `checkShape`, `checkSize` and TIDINGS_KEY_FUNCTION,
 * TIDINGS_INVALID_OPTION, TIDINGS_INVALID_NAME.
 */
export function encode(
  contract: Contract,
  data: unknown,
  options: PublishOptions | undefined,
  context: EncodeContext,
): EventRecord {
  if (options !== undefined) checkOptions(`publish of "${contract.type}"`, options, publishOptionNames);
  const subject = (): string => describe(contract);
  validate(contract, data, "publish");
  const text = toJson(contract, data, context.limits);
  checkShape(text, context.limits, subject);
  proveJson(contract, data, text);
  const record: EventRecord = {
    id: options?.id === undefined ? context.nextId() : checkId(contract, options.id),
    source: context.source,
    type: contract.type,
    timeMs: options?.time === undefined ? context.nowMs : checkInstant(contract, "time", options.time),
    key: options?.key === undefined ? keyOf(contract, data) : checkKey(contract, options.key),
    attributes: attributesOf(contract, options, context.cause),
    data: text,
  };
  checkSize(record, context.limits, subject);
  return record;
}

function keyOf(contract: Contract, data: unknown): string | null {
  const keyFunction = contract.topic.key;
  if (keyFunction === undefined) return null;
  let key: unknown;
  try {
    key = keyFunction(data as never);
  } catch (cause) {
    throw keyError(contract, `threw for ${describe(contract)}: ${messageOf(cause)}`, cause);
  }
  if (key === null || isIdentifier(key)) return key;
  throw keyError(contract, `returned ${sketch(key)} for ${describe(contract)}; ${keyRule}`);
}

function checkKey(contract: Contract, key: unknown): string | null {
  if (key === null || isIdentifier(key)) return key;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The option key for ${describe(contract)} is ${sketch(key)}; ${keyRule}`,
    { details: { ...detailsOf(contract), option: "key" } },
  );
}

const keyRule = `a key is text of 1 to ${identifierLengthMax} characters without control characters, or null for an event without one.`;

function keyError(contract: Contract, problem: string, cause?: unknown): TidingsError {
  return new TidingsError("TIDINGS_KEY_FUNCTION", `The key function of topic "${contract.topic.name}" ${problem}`, {
    cause,
    details: detailsOf(contract),
  });
}

function sketch(key: unknown): string {
  if (key === undefined) return "undefined";
  if (typeof key !== "string") return `a value of type ${typeof key}`;
  return key === "" ? "empty text" : `text of ${key.length} characters`;
}
