/** What a breaker lets through: everything, nothing, or one delivery at a time to find out. */
export type BreakerState = "closed" | "open" | "half-open";

/** A circuit breaker as all processes share it, by its name: a dependency, or `<service>/<topic>`. */
export interface BreakerDocument {
  readonly state: BreakerState;
  readonly sinceMs: number;
  /** Why it is in this state. */
  readonly reason: string;
  readonly by: string;
  /** How often in a row it has opened. */
  readonly openings: number;
  /** Open: how long it was to stay so; absent when an operator has opened it without an end. */
  readonly openMs?: number;
  /** Open: when the first probe may begin, in milliseconds since 1970. */
  readonly probeAtMs?: number;
  /** What trips it, in words for people. */
  readonly trips: string;
  /** False: nothing has changed that anybody should be told of. */
  readonly told?: false;
}

/** A breaker that nobody has heard of before. */
export function newBreaker(trips: string, nowMs: number, by: string): BreakerDocument {
  return { state: "closed", sinceMs: nowMs, reason: "new", by, openings: 0, trips, told: false };
}

/** The document of a breaker that opens; without `openMs` it stays open until somebody closes it. */
export function opened(
  before: BreakerDocument,
  how: { readonly nowMs: number; readonly reason: string; readonly by: string; readonly openMs: number | undefined },
): BreakerDocument {
  const { nowMs, reason, by, openMs } = how;
  return {
    state: "open",
    sinceMs: nowMs,
    reason,
    by,
    openings: before.openings + 1,
    trips: before.trips,
    ...(openMs === undefined ? {} : { openMs, probeAtMs: nowMs + openMs }),
  };
}

/** The document of a breaker that closes. */
export function closed(before: BreakerDocument, nowMs: number, reason: string, by: string): BreakerDocument {
  return { state: "closed", sinceMs: nowMs, reason, by, openings: 0, trips: before.trips };
}

/** The document of a breaker of which a probe begins. */
export function halfOpened(before: BreakerDocument, nowMs: number, by: string): BreakerDocument {
  return { state: "half-open", sinceMs: nowMs, reason: "a probe", by, openings: before.openings, trips: before.trips };
}
