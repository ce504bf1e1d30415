/** Date and time of RFC 3339 with its zone; CloudEvents wants no less, and without a zone it would mean another instant on every machine. */
const rfc3339 = /^(\d{4}-\d\d-(\d\d))[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?)([Zz]|[+-]\d\d:\d\d)$/;

/** RFC 3339 writes years with four digits. */
const firstMs = Date.parse("0000-01-01T00:00:00Z");
const lastMs = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * The instant in whole milliseconds since 1970, or undefined when the value is none: a number of milliseconds, a Date,
 * or text of RFC 3339 with a zone. What is finer than a millisecond is cut off.
 */
export function instantOf(value: unknown): number | undefined {
  const ms = typeof value === "string" ? parse(value) : value instanceof Date ? value.getTime() : value;
  if (typeof ms !== "number" || !(ms >= firstMs && ms <= lastMs)) return undefined;
  return Math.trunc(ms);
}

function parse(text: string): number | undefined {
  const [, date, day, time, zone] = rfc3339.exec(text) ?? [];
  if (date === undefined || zone === undefined) return undefined;
  // Date rolls the 30th of February over to March instead of refusing it.
  if (new Date(`${date}T00:00:00Z`).getUTCDate() !== Number(day)) return undefined;
  return Date.parse(`${date}T${time}${zone.toUpperCase()}`);
}

/** Neighbours often share their millisecond, so the last one is remembered. */
let rememberedMs = Number.NaN;
let remembered = "";

/** The instant as RFC 3339 in UTC with milliseconds. */
export function formatTime(timeMs: number): string {
  if (timeMs !== rememberedMs) {
    remembered = new Date(timeMs).toISOString();
    rememberedMs = timeMs;
  }
  return remembered;
}
