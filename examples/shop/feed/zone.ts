// Wall-clock time of a place as an instant.
//
// "2017-10-15 10:00:00" in São Paulo is 12:00 UTC or 13:00 UTC depending on the day: Brazil had daylight saving time until
// 2019, and moved its clocks at midnight. Intl knows the history of every zone, but only answers the other way round (what
// do the clocks show at this instant?), so that the offset is asked for on both sides of the wanted time.

const dayMs = 24 * 60 * 60 * 1000;

/** Turns wall-clock times of one zone into instants. */
export type ZoneClock = (wallMs: number) => number;

/**
 * A converter for the zone. It takes the wall-clock time as if it were UTC (`Date.UTC(2017, 9, 15, 10)`), and answers
 * milliseconds since 1970. A time that the clocks showed twice is the earlier one; a time that they skipped is as long
 * after the change as it would have been without one, so that 00:30 on a night whose midnight became 01:00 is 01:30.
 */
export function zoneClock(zone: string): ZoneClock {
  const offset = offsetIn(zone);
  return (wallMs) => {
    const before = offset(wallMs - dayMs);
    const after = offset(wallMs + dayMs);
    const [early, late] = [wallMs - before, wallMs - after];
    if (before === after || offset(early) === before) return early;
    return offset(late) === after ? late : early;
  };
}

/** How far the zone's clocks are ahead of UTC at an instant, in milliseconds. */
function offsetIn(zone: string): (instantMs: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const part = (parts: Intl.DateTimeFormatPart[], type: string): number =>
    Number(parts.find((each) => each.type === type)?.value);
  // Clocks change on a quarter of an hour, and Intl is slow: one question for each quarter is enough.
  const known = new Map<number, number>();
  return (instantMs) => {
    const quarterMs = Math.floor(instantMs / 900_000) * 900_000;
    const remembered = known.get(quarterMs);
    if (remembered !== undefined) return remembered;
    const parts = format.formatToParts(quarterMs);
    const [year, month, day] = [part(parts, "year"), part(parts, "month"), part(parts, "day")];
    const shown = Date.UTC(year, month - 1, day, part(parts, "hour"), part(parts, "minute"), part(parts, "second"));
    known.set(quarterMs, shown - quarterMs);
    return shown - quarterMs;
  };
}
