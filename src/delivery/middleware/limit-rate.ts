import { TidingsError } from "../../errors/tidings-error.ts";
import type { Middleware } from "./middleware.ts";

/**
 * Lets at most so many handlings begin in a second, in this process; the others wait, each keeping its slot. A token bucket
 * with room for `burst` (as many as a second gives, unless said).
 */
export function limitRate({
  perSecond,
  burst = Math.max(1, perSecond),
}: {
  readonly perSecond: number;
  readonly burst?: number;
}): Middleware {
  if (!(perSecond > 0) || !(burst >= 1)) {
    throw new TidingsError("TIDINGS_INVALID_OPTION", "limitRate() takes perSecond above 0 and burst of at least 1.");
  }
  const gapMs = 1000 / perSecond;
  /** When the bucket will have been refilled, were nothing more taken: the generic cell rate algorithm. */
  let fullAtMs = Number.NEGATIVE_INFINITY;
  return async (_event, ctx, next) => {
    const nowMs = ctx.now();
    fullAtMs = Math.max(fullAtMs, nowMs) + gapMs;
    const waitMs = fullAtMs - burst * gapMs - nowMs;
    if (waitMs > 0) await ctx.sleep(waitMs);
    await next();
  };
}
