import { TidingsError } from "../errors/tidings-error.ts";

/** A span of time: milliseconds, or text such as `"250ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"2d"`. */
export type Duration = number | string;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The span in milliseconds. Throws TIDINGS_INVALID_OPTION. */
export function durationMs(duration: Duration): number {
  const ms = typeof duration === "number" ? duration : parse(duration);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `${JSON.stringify(duration) ?? String(duration)} is no span of time: give milliseconds or text such as "250ms", "30s", "5m", "1h30m" or "2d".`,
  );
}

function parse(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return Number.NaN;
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit as string] as number), 0);
}
