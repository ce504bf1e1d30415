import { isDeepStrictEqual } from "node:util";
import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import type { DeadLetter, DeadLetterReason } from "../delivery/records.ts";
import { differences } from "./differences.ts";
import type { Recorded } from "./recording.ts";

/** An event that is expected; without data, any event of the contract. */
export interface ExpectedEvent {
  readonly contract: Contract;
  readonly data?: unknown;
}

/** What a dead letter is expected to say; what is absent may be anything. */
export interface ExpectedDeadLetter {
  readonly service?: string;
  readonly topic?: string;
  readonly type?: string;
  readonly key?: string | null;
  readonly reason?: DeadLetterReason;
  /** Code of the error, or name of its class. */
  readonly code?: string;
  readonly message?: string;
  readonly data?: unknown;
}

/** An expectation of a scenario that does not hold. */
export function expectationFailed(lines: readonly string[]): TidingsError {
  return new TidingsError("TIDINGS_EXPECTATION_FAILED", lines.filter((line) => line !== "").join("\n"));
}

/**
 * What differs between the events that were published and those that should have been, a line each; none when they are the
 * same and stand in the expected order within each key.
 */
export function eventDifferences(actual: readonly Recorded[], expected: readonly ExpectedEvent[]): readonly string[] {
  const matched = match(actual, expected);
  const missing = expected.filter((_, index) => !matched.includes(index));
  const extra = actual.filter((_, index) => matched[index] === undefined);
  const lines: string[] = [];
  for (const event of missing) {
    const near = extra.findIndex((other) => sameType(other, event));
    if (near < 0) lines.push(`  - ${textOf(event.contract.type, event.data)}`);
    else {
      const [other] = extra.splice(near, 1) as [Recorded];
      lines.push(`  ~ ${textOf(event.contract.type, event.data)} differs:`);
      for (const line of differences(other.event.data, event.data, "data")) lines.push(`      ${line}`);
    }
  }
  for (const { event, by } of extra) lines.push(`  + ${textOf(event.type, event.data)} by ${by ?? "the test"}`);
  return [...lines, ...orderDifferences(actual, matched)];
}

/** By index of what happened, the index of the expectation that it meets. Equal ones are taken in their order. */
function match(actual: readonly Recorded[], expected: readonly ExpectedEvent[]): readonly (number | undefined)[] {
  const matched: (number | undefined)[] = actual.map(() => undefined);
  const take = (index: number, fits: (recorded: Recorded) => boolean): void => {
    const found = actual.findIndex((recorded, at) => matched[at] === undefined && fits(recorded));
    if (found >= 0) matched[found] = index;
  };
  for (const [index, event] of expected.entries())
    if (event.data !== undefined)
      take(index, (recorded) => sameType(recorded, event) && sameData(recorded.event.data, event.data));
  for (const [index, event] of expected.entries())
    if (event.data === undefined) take(index, (recorded) => sameType(recorded, event));
  return matched;
}

/** Events of one key that stand in another order than expected. Between keys there is no order. */
function orderDifferences(actual: readonly Recorded[], matched: readonly (number | undefined)[]): readonly string[] {
  const last = new Map<string, { readonly index: number; readonly type: string }>();
  const lines: string[] = [];
  for (const [at, { event, topic }] of actual.entries()) {
    const index = matched[at];
    if (index === undefined || event.partitionkey === undefined) continue;
    const key = `${topic} ${event.partitionkey}`;
    const before = last.get(key);
    if (before && before.index > index)
      lines.push(
        `  ! ${event.type} of key ${event.partitionkey} came after ${before.type}, and should have come before it`,
      );
    else last.set(key, { index, type: event.type });
  }
  return lines;
}

const sameType = ({ event, topic }: Recorded, { contract }: ExpectedEvent): boolean =>
  event.type === contract.type && topic === contract.topic.name;

/** Compared as JSON is: what was published has been there and back. */
const sameData = (actual: unknown, expected: unknown): boolean => isDeepStrictEqual(actual, asJson(expected));

/** Data as it comes back from the wire. */
export const asJson = (data: unknown): unknown =>
  data === undefined ? undefined : (JSON.parse(JSON.stringify(data)) as unknown);

const textOf = (type: string, data: unknown): string => (data === undefined ? type : `${type} ${JSON.stringify(data)}`);

/** What differs between the dead letters there are and those that should be. */
export function deadLetterDifferences(
  actual: readonly DeadLetter[],
  expected: readonly ExpectedDeadLetter[],
): readonly string[] {
  const left = [...actual];
  const lines: string[] = [];
  // The most particular expectation chooses first, so that a vague one does not take what only it would fit.
  const particular = [...expected].sort((a, b) => Object.keys(b).length - Object.keys(a).length);
  for (const letter of particular) {
    const found = left.findIndex((other) => fits(other, letter));
    if (found >= 0) left.splice(found, 1);
    else lines.push(`  - ${JSON.stringify(letter)}`);
  }
  for (const letter of left) {
    const { service, topic, type, key, reason, code, message } = factsOf(letter);
    lines.push(
      `  + ${reason}: ${type}${key === null ? "" : ` of key ${key}`} in ${service}/${topic}: ${code}: ${message}`,
    );
  }
  return lines;
}

function fits(letter: DeadLetter, expected: ExpectedDeadLetter): boolean {
  const facts: Readonly<Record<string, unknown>> = { ...factsOf(letter) };
  return Object.entries(expected).every(
    ([name, value]) => value === undefined || isDeepStrictEqual(facts[name], asJson(value)),
  );
}

function factsOf({ service, topic, key, reason, failure, record }: DeadLetter): Required<ExpectedDeadLetter> {
  const data = record.data === undefined ? undefined : (JSON.parse(record.data) as unknown);
  return { service, topic, type: record.type, key, reason, code: failure.code, message: failure.message, data };
}
