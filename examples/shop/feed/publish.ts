// Publishes a timeline, as fast as the disk takes it or at the pace of its event times.
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "tidings";

import { patiently } from "../patience.ts";
import type { Timeline } from "./timeline.ts";

/** So many events share one commit. */
const batchMax = 250;

export interface PublishOptions {
  /** Index of the first entry to publish; the ones before are there. */
  readonly from: number;
  /** Seconds of event time that pass in a second; undefined goes as fast as it can. */
  readonly speed: number | undefined;
  readonly signal: AbortSignal;
  /** Called with the number of entries that are on disk, and the event time reached. */
  readonly advanced: (published: number, timeMs: number) => void;
}

/** Resolves when all of the timeline is on disk; rejects with an AbortError when the signal says to stop. */
export async function publishTimeline(app: App, timeline: Timeline, options: PublishOptions): Promise<void> {
  const { from, speed, signal, advanced } = options;
  const { facts } = timeline;
  const beganMs = performance.now();
  const firstMs = facts[from]?.timeMs ?? 0;
  /** Milliseconds until this entry's time has come. */
  const waitMs = (index: number): number =>
    speed === undefined ? 0 : ((facts[index]?.timeMs ?? firstMs) - firstMs) / speed - (performance.now() - beganMs);

  let next = from;
  while (next < facts.length) {
    const wait = waitMs(next);
    // A timer takes at most 24.8 days; nobody waits longer than that for a parcel's event.
    if (wait > 0) await sleep(Math.min(wait, 2 ** 31 - 1), undefined, { signal });
    let end = next + 1;
    while (end < facts.length && end - next < batchMax && waitMs(end) <= 0) end++;
    const batch = facts.slice(next, end).map(({ publication }) => publication);
    // The ids follow from the orders, so that a batch of which nobody knows whether it arrived may be published again.
    await patiently(() => app.publishAll(batch), signal);
    next = end;
    advanced(next, facts[next - 1]?.timeMs ?? firstMs);
  }
}
