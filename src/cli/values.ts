import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import { instantOf } from "../event/instant.ts";
import type { Place } from "../admin/read-events.ts";

const durationPattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `90s`, `5m`, `1h30m`, `250ms`, `2d` as milliseconds, of the option that is named. Throws TIDINGS_USAGE. */
export function parseDuration(name: string, text: string, leastMs = 0): number {
  if (!durationPattern.test(text)) throw usage(`${name} takes a duration such as 90s, 5m, 2h or 1h30m, not "${text}".`);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  const ms = Math.round(
    parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit as string] as number), 0),
  );
  if (ms >= leastMs && Number.isSafeInteger(ms)) return ms;
  throw usage(
    `${name} takes a duration ${ms < leastMs ? `of at least ${leastMs}ms` : "that is shorter"}, not "${text}".`,
  );
}

/** Writes a duration as people say it: `0s`, `1.5s`, `4m 10s`, `2h 5m`, `3d 1h`. */
export function formatDuration(ms: number): string {
  if (ms < 60_000) return ms === 0 ? "0s" : ms < 1000 ? `${Math.round(ms)}ms` : `${Math.round(ms / 100) / 10}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes}m ${Math.floor((ms % 60_000) / 1000)}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** `1 key`, `2 keys`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Reads an instant: RFC 3339, a date, or a duration before now such as `-1h`. Throws TIDINGS_USAGE. */
export function parseInstant(name: string, text: string, nowMs: number): number {
  const ms = instantIn(text, nowMs);
  if (ms !== undefined) return ms;
  throw usage(`${name} takes a time such as 2026-01-31T12:00:00Z, 2026-01-31, or -1h for an hour ago, not "${text}".`);
}

function instantIn(text: string, nowMs: number): number | undefined {
  if (text === "now") return nowMs;
  if (durationPattern.test(text.slice(1)) && text.startsWith("-")) return nowMs - parseDuration("", text.slice(1));
  return instantOf(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
}

/** Reads when something ends: an instant, or a duration from now; either lies ahead. Throws TIDINGS_USAGE. */
export function parseEnd(name: string, text: string, nowMs: number): number {
  const ms = durationPattern.test(text) ? nowMs + parseDuration(name, text) : instantIn(text, nowMs);
  if (ms === undefined)
    throw usage(`${name} takes a duration such as 30m, or a time such as 2026-01-31T12:00:00Z, not "${text}".`);
  if (ms > nowMs) return ms;
  throw usage(`${name} takes a time in the future, not "${text}".`);
}

/** Reads a place in a topic: `start`, `end`, an instant, `-1h`, or `<partition>:<position>`. Throws TIDINGS_USAGE. */
export function parsePlace(name: string, text: string, nowMs: number): Place {
  if (text === "start" || text === "end") return text;
  const exact = /^(\d+):(\d+)$/.exec(text);
  if (exact) return { partition: Number(exact[1]), position: Number(exact[2]) };
  const timeMs = instantIn(text, nowMs);
  if (timeMs !== undefined) return { timeMs };
  throw usage(
    `${name} takes a place: start, end, 2026-01-31T12:00:00Z, -1h, or <partition>:<position>; "${text}" is no place.`,
  );
}

/** Reads a whole number of at least `least`. Throws TIDINGS_USAGE. */
export function parseWhole(name: string, text: string, least = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
  throw usage(`${name} takes a whole number of at least ${least}, not "${text}".`);
}

/** Reads JSON that somebody typed. Throws TIDINGS_INVALID_INPUT with the place. */
export function parseJson(where: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new TidingsError("TIDINGS_INVALID_INPUT", `${where} is not JSON: ${(error as Error).message}.`, {
      details: { where },
    });
  }
}

/** Lets what is wrong with the value of an option name the option as it was typed. Throws TIDINGS_USAGE. */
export function ofOption<Value>(name: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (isTidingsError(error) && error.code === "TIDINGS_INVALID_OPTION") throw usage(`${name}: ${error.message}`);
    throw error;
  }
}

/** The error for a wrong command line. */
export function usage(message: string): TidingsError {
  return new TidingsError("TIDINGS_USAGE", message);
}
