import { TidingsError } from "../errors/tidings-error.ts";
import { instantOf } from "../event/instant.ts";
import type { Place } from "../admin/read-events.ts";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `90s`, `5m`, `1h30m`, `250ms`, `2d` as milliseconds. Throws TIDINGS_USAGE. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join("") === text)
    return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit as string] as number), 0);
  throw usage(`"${text}" is not a duration; write 90s, 5m, 2h or 1h30m.`);
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
export function parseInstant(text: string, nowMs: number): number {
  if (text.startsWith("-")) return nowMs - parseDuration(text.slice(1));
  if (text === "now") return nowMs;
  const ms = instantOf(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (ms !== undefined) return ms;
  throw usage(`"${text}" is not a time; write 2026-01-31T12:00:00Z, 2026-01-31, or -1h for an hour ago.`);
}

/** Reads the end of a pause: an instant, or a duration from now. Throws TIDINGS_USAGE. */
export function parseEnd(text: string, nowMs: number): number {
  return /^\d+(\.\d+)?(ms|s|m|h|d)/.test(text) ? nowMs + parseDuration(text) : parseInstant(text, nowMs);
}

/** Reads a place in a topic: `start`, `end`, an instant, `-1h`, or `<partition>:<position>`. Throws TIDINGS_USAGE. */
export function parsePlace(text: string, nowMs: number): Place {
  if (text === "start" || text === "end") return text;
  const exact = /^(\d+):(\d+)$/.exec(text);
  if (exact) return { partition: Number(exact[1]), position: Number(exact[2]) };
  try {
    return { timeMs: parseInstant(text, nowMs) };
  } catch {
    throw usage(`"${text}" is no place; write start, end, 2026-01-31T12:00:00Z, -1h, or <partition>:<position>.`);
  }
}

/** Reads a whole number of at least `least`. Throws TIDINGS_USAGE. */
export function parseWhole(name: string, text: string, least = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least) return value;
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

/** The error for a wrong command line. */
export function usage(message: string): TidingsError {
  return new TidingsError("TIDINGS_USAGE", message);
}
