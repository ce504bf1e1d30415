import type { Platform } from "../platform/platform.ts";
import { systemPlatform } from "../platform/system.ts";
import { uuid7Source } from "../platform/uuid7.ts";

/** A platform in real time whose clocks can be set forward. */
export interface MovablePlatform extends Platform {
  /** Sets both clocks forward. Timers that run are not hastened. */
  jump(ms: number): void;
}

/**
 * Real time that can be set forward: leases expire and ids are forgotten without waiting. For engines
 * that take the time from their platform, as all of ours do.
 */
export function movablePlatform(base: Platform = systemPlatform()): MovablePlatform {
  let ahead = 0;
  const clock = {
    now: () => base.clock.now() + ahead,
    monotonic: () => base.clock.monotonic() + ahead,
    after: (delayMs: number, fn: () => void, background?: boolean) => base.clock.after(delayMs, fn, background),
    soon: (fn: () => void) => base.clock.soon(fn),
  };
  return {
    clock,
    random: base.random,
    ids: uuid7Source(clock, base.random),
    jump(ms) {
      ahead += ms;
    },
  };
}
