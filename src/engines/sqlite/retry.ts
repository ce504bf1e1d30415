import type { Platform } from "../../platform/platform.ts";
import { failureKind } from "./failure.ts";

/** First looks come in the rhythm of the event loop, for locks that are held for microseconds. */
const eagerTries = 20;
const delayMsMax = 8;

/** Calls `again` after a pause that grows with the number of tries, with some chance so that processes do not march in step. */
export function backOff({ clock, random }: Platform, tries: number, again: () => void): void {
  if (tries <= eagerTries) clock.soon(again);
  else clock.after(Math.min(2 ** ((tries - eagerTries) >> 2), delayMsMax) * (0.5 + random.next()), again);
}

/** Runs `fn` until it no longer fails because somebody else holds a lock; then, or after `timeoutMs`, as it ends. */
export async function whileBusy<Result>(platform: Platform, timeoutMs: number, fn: () => Result): Promise<Result> {
  const deadline = platform.clock.monotonic() + timeoutMs;
  for (let tries = 1; ; tries++) {
    try {
      return fn();
    } catch (error) {
      if (failureKind(error) !== "busy" || platform.clock.monotonic() >= deadline) throw error;
    }
    await new Promise<void>((resolve) => backOff(platform, tries, resolve));
  }
}
