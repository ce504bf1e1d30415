import { AssertionError } from "node:assert/strict";
import { inspect, isDeepStrictEqual } from "node:util";
import type { ErrorCode } from "../errors/codes.ts";
import { isTidingsError } from "../errors/tidings-error.ts";
import type { Outcome } from "../ports/transaction.ts";
import type { Env } from "./suite.ts";

/** Fails the case. */
export function fail(message: string): never {
  throw new AssertionError({ message, stackStartFn: fail });
}

/** Sees that something holds; the message says what. */
export function holds(condition: boolean, message: string): asserts condition {
  if (!condition) fail(`This does not hold: ${message}`);
}

/** Sees that two plain values are one. */
export function equal(actual: unknown, expected: unknown, message?: string): void {
  if (!Object.is(actual, expected)) fail(difference(actual, expected, message));
}

/** Sees that two structures are alike in everything. */
export function same(actual: unknown, expected: unknown, message?: string): void {
  if (!isDeepStrictEqual(actual, expected)) fail(difference(actual, expected, message));
}

/** Says what differs in few words: the diff of node:assert takes minutes for events of a megabyte. */
function difference(actual: unknown, expected: unknown, message: string | undefined): string {
  const what = message === undefined ? "" : `${message}: `;
  if (Array.isArray(actual) && Array.isArray(expected)) {
    const at = expected.findIndex((item, i) => !isDeepStrictEqual(item, actual[i]));
    const place = at === -1 ? expected.length : at;
    const lengths = `${actual.length} items where ${expected.length} are expected`;
    return `${what}${lengths}, and item ${place} is ${short(actual[place])} instead of ${short(expected[place])}`;
  }
  return `${what}${short(actual)} instead of ${short(expected)}`;
}

function short(value: unknown): string {
  const text = inspect(value, { depth: 4, maxArrayLength: 20, maxStringLength: 200, breakLength: Infinity });
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}

/** Sees that the promise rejects with one of these codes. */
export async function rejects(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  const error = await rejection(promise);
  if (isTidingsError(error) && codes.includes(error.code)) return;
  fail(`Expected a rejection with ${codes.join(" or ")}, got ${told(error)}.`);
}

/** What the promise rejects with; fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  return fail(`Expected a rejection, got ${JSON.stringify(value)}.`);
}

/** The value, which must be there. */
export function given<Value>(value: Value | undefined, what = "a value"): Value {
  return value === undefined ? fail(`Expected ${what}, got undefined.`) : value;
}

/** What a committed transaction appended; fails on a conflict. */
export function committed(outcome: Outcome): Extract<Outcome, { committed: true }> {
  return outcome.committed ? outcome : fail(`Expected a commit, got the conflict ${JSON.stringify(outcome.conflict)}.`);
}

/** The conflict of a transaction; fails on a commit. */
export function conflictOf(outcome: Outcome): Extract<Outcome, { committed: false }>["conflict"] {
  return outcome.committed ? fail("Expected a conflict, got a commit.") : outcome.conflict;
}

/** Sees that the condition comes true within some seconds. */
export async function eventually(env: Env, what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const until = env.platform.clock.monotonic() + 30_000;
  while (!(await condition())) {
    if (env.platform.clock.monotonic() > until) fail(`Waited 30 s in vain: ${what}.`);
    await env.wait(5);
  }
}

function told(error: unknown): string {
  if (isTidingsError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
