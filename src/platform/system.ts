import { randomFillSync } from "node:crypto";
import type { Clock } from "./clock.ts";
import type { Platform } from "./platform.ts";
import type { Random } from "./random.ts";
import { uuid7Source } from "./uuid7.ts";

/** Longest delay a timer of Node.js takes; longer ones would fire at once. */
const delayMsMax = 0x7fff_ffff;

/**
 * The real clock. A timer of Node.js may fire up to a millisecond early and takes no delay beyond 24 days:
 * what is left when it fires is waited for again.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  soon: (fn) => void setImmediate(fn),
  after(delayMs, fn, background = false) {
    const dueAt = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timer = setTimeout(
        () => {
          const left = dueAt - performance.now();
          if (left > 0) arm(left);
          else fn();
        },
        Math.min(Math.ceil(leftMs), delayMsMax),
      );
      if (background) timer.unref();
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};

/** Cryptographic chance, drawn in pools of 4 KiB because single draws are dear. */
export function systemRandom(): Random {
  const pool = new Uint32Array(1024);
  let next = pool.length;
  const uint32 = (): number => {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    return pool[next++] as number;
  };
  return { uint32, next: () => uint32() / 0x1_0000_0000 };
}

/** The platform a production application runs on. */
export function systemPlatform(): Platform {
  const random = systemRandom();
  return { clock: systemClock, random, ids: uuid7Source(systemClock, random) };
}
