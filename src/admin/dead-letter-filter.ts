import { TidingsError } from "../errors/tidings-error.ts";
import type { DeadLetter } from "../delivery/records.ts";
import type { RedriveFilter } from "../delivery/redrive/documents.ts";
import { checkOptions } from "../lib/options.ts";

/** Which dead letters are meant; every condition that is given must hold. */
export interface DeadLetterFilter extends RedriveFilter {
  /** `open` are those that wait for somebody; also `redriving`, and of the closed ones `resolved` and `discarded`. */
  readonly state?: DeadLetter["state"];
  /** Those that this redrive operation has sent back last. */
  readonly redrive?: string;
}

const texts = ["subscription", "type", "key", "tenant", "reason", "fingerprint", "state", "redrive"] as const;
const instants = ["sinceMs", "beforeMs"] as const;
/** What says which ones are meant, not only when. */
const telling: readonly (keyof DeadLetterFilter)[] = [
  "subscription", "ids", "type", "key", "tenant", "reason", "fingerprint", "redrive",
]; // prettier-ignore

const reasons: readonly DeadLetter["reason"][] = [
  "exhausted", "terminal", "unmatched", "validation", "undecodable", "stalled", "id-conflict", "manual",
]; // prettier-ignore
const states: readonly DeadLetter["state"][] = ["open", "redriving", "resolved", "discarded"];

/** Refuses conditions that do not exist or have the wrong kind of value. Throws TIDINGS_INVALID_OPTION. */
export function checkFilter(where: string, filter: DeadLetterFilter, more: readonly string[] = []): void {
  checkOptions(where, filter, [...texts, ...instants, "ids", ...more]);
  for (const name of texts) {
    const value: unknown = filter[name];
    if (value !== undefined && (typeof value !== "string" || value === ""))
      throw wrong(where, name, "text that is not empty");
  }
  for (const name of instants) {
    const value: unknown = filter[name];
    if (value !== undefined && !Number.isFinite(value)) throw wrong(where, name, "milliseconds since 1970");
  }
  const { ids, reason, state }: { ids?: unknown; reason?: DeadLetter["reason"]; state?: DeadLetter["state"] } = filter;
  if (ids !== undefined && !(Array.isArray(ids) && ids.every((id) => typeof id === "string")))
    throw wrong(where, "ids", "a list of ids");
  if (reason !== undefined && !reasons.includes(reason)) throw wrong(where, "reason", `one of ${reasons.join(", ")}`);
  if (state !== undefined && !states.includes(state)) throw wrong(where, "state", `one of ${states.join(", ")}`);
}

function wrong(where: string, name: string, wanted: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The condition ${name} of ${where} takes ${wanted}.`, {
    details: { option: name },
  });
}

/** Whether a filter says which dead letters are meant: one that has only times, or nothing, may mean all of them. */
export function isTelling(filter: DeadLetterFilter): boolean {
  return telling.some((name) => filter[name] !== undefined);
}

/** Whether a dead letter matches; ids and subscription are looked up before. */
export function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  return (
    (filter.type === undefined || letter.record.type === filter.type) &&
    (filter.key === undefined || letter.key === filter.key) &&
    (filter.tenant === undefined || letter.record.attributes?.["tenantid"] === filter.tenant) &&
    (filter.reason === undefined || letter.reason === filter.reason) &&
    (filter.fingerprint === undefined || letter.failure.fingerprint === filter.fingerprint) &&
    (filter.redrive === undefined || (letter.redrive?.operation === filter.redrive && !letter.redrive?.over)) &&
    (filter.sinceMs === undefined || letter.parkedAtMs >= filter.sinceMs) &&
    (filter.beforeMs === undefined || letter.parkedAtMs < filter.beforeMs) &&
    (filter.state === undefined || letter.state === filter.state)
  );
}
