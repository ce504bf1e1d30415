import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "./contract.ts";
import { type EventLimits, tooDeep } from "./limits.ts";
import { check, describe, detailsOf, keysOf, messageOf, pathText } from "./validate.ts";

/** A place in a payload and what stands there. */
interface Finding {
  readonly keys: readonly PropertyKey[];
  readonly what: string;
}

/**
 * The payload as JSON text. Throws TIDINGS_NOT_SERIALIZABLE naming the path of what JSON cannot hold,
 * TIDINGS_EVENT_TOO_DEEP when it is so deep that the attempt ran out of stack, TIDINGS_EVENT_TOO_LARGE when the text
 * would be longer than a string can be.
 */
export function toJson(contract: Contract, data: unknown, limits: EventLimits): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (cause) {
    throw notWritable(contract, data, limits, cause);
  }
  if (text === undefined) throw notSerializable(contract, `is ${kindOf(data)}, which JSON cannot hold.`, []);
  return text;
}

function notWritable(contract: Contract, data: unknown, limits: EventLimits, cause: unknown): TidingsError {
  if (cause instanceof RangeError) {
    if (!/string length/i.test(cause.message)) return tooDeep(limits, () => describe(contract));
    return new TidingsError("TIDINGS_EVENT_TOO_LARGE", `The payload of ${describe(contract)} is too large for JSON.`, {
      cause,
      details: detailsOf(contract),
    });
  }
  const found = obstacle(data, [], []);
  if (found === undefined) {
    return notSerializable(contract, `cannot be written as JSON: ${messageOf(cause)}`, [], cause);
  }
  return notSerializable(
    contract,
    `cannot be written as JSON: ${pathText(found.keys)} is ${found.what}.`,
    found.keys,
    cause,
  );
}

function notSerializable(
  contract: Contract,
  problem: string,
  keys: readonly PropertyKey[],
  cause?: unknown,
): TidingsError {
  return new TidingsError("TIDINGS_NOT_SERIALIZABLE", `The payload of ${describe(contract)} ${problem}`, {
    cause,
    details: { ...detailsOf(contract), path: pathText(keys) },
  });
}

/** The first thing that makes JSON.stringify throw: a bigint, or a way back to an object around it. */
function obstacle(value: unknown, keys: readonly PropertyKey[], around: readonly object[]): Finding | undefined {
  if (typeof value === "bigint") return { keys, what: "a bigint; give it as text" };
  if (typeof value !== "object" || value === null) return undefined;
  const at = around.indexOf(value);
  if (at !== -1) return { keys, what: `the same object as ${pathText(keys.slice(0, at))}, a cycle` };
  for (const [key, item] of entriesOf(value)) {
    const found = obstacle(item, [...keys, key], [...around, value]);
    if (found) return found;
  }
  return undefined;
}

// Contracts whose first payload came back from JSON as the schema wants it.
const proven = new WeakSet<Contract>();

/**
 * On the first publish of a contract: what handlers will read must fit the schema too, and a Date, say, comes back
 * from JSON as text. Later publishes are not checked again, for it costs as much as all the rest.
 * Throws TIDINGS_NOT_SERIALIZABLE naming the path that changes.
 */
export function proveJson(contract: Contract, data: unknown, text: string): void {
  if (proven.has(contract)) return;
  const back: unknown = JSON.parse(text);
  const { issues } = check(contract, back, "publish");
  if (issues === undefined) {
    proven.add(contract);
    return;
  }
  const keys = keysOf(issues[0]);
  const changed = changeAlong(keys, data, back) ?? changeWithin(data, back, []);
  const problem =
    changed === undefined
      ? `is refused by its own schema after a way through JSON: ${pathText(keys)}: ${issues[0]?.message ?? ""}.`
      : `does not survive JSON: ${pathText(changed.keys)} is ${changed.what}, which the schema refuses on consume.`;
  const advice = "Publish what JSON holds (a date as toISOString(), say) and let the schema convert it.";
  throw notSerializable(contract, `${problem} ${advice}`, changed?.keys ?? keys);
}

/** The first change on the way that an issue points. */
function changeAlong(keys: readonly PropertyKey[], before: unknown, after: unknown): Finding | undefined {
  for (let length = 0; ; length++) {
    const found = changeAt(keys.slice(0, length), before, after);
    if (found || length === keys.length) return found;
    const key = keys[length] as PropertyKey;
    before = (before as Record<PropertyKey, unknown> | null | undefined)?.[key];
    after = (after as Record<PropertyKey, unknown> | null | undefined)?.[key];
  }
}

/** The first change anywhere. The depth is bounded: `before` has been written as JSON within the limits. */
function changeWithin(before: unknown, after: unknown, keys: readonly PropertyKey[]): Finding | undefined {
  const here = changeAt(keys, before, after);
  if (here || typeof before !== "object" || before === null) return here;
  for (const [key, item] of entriesOf(before)) {
    const found = changeWithin(item, (after as Record<PropertyKey, unknown>)[key], [...keys, key]);
    if (found) return found;
  }
  return undefined;
}

function changeAt(keys: readonly PropertyKey[], before: unknown, after: unknown): Finding | undefined {
  const [was, is] = [kindOf(before), kindOf(after)];
  return was === is ? undefined : { keys, what: `${was} and comes back as ${is}` };
}

function entriesOf(value: object): readonly (readonly [PropertyKey, unknown])[] {
  return Array.isArray(value) ? value.map((item, index) => [index, item] as const) : Object.entries(value);
}

/** What JSON tells apart, and by its name what it does not know. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "undefined";
  if (typeof value === "string") return "text";
  if (typeof value === "number") return Number.isFinite(value) ? "a number" : String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  const { constructor } = value as { constructor?: unknown };
  const name = typeof constructor === "function" && constructor !== Object ? constructor.name : "object";
  return `${/^[AEIOaeio]/.test(name) ? "an" : "a"} ${name}`;
}
