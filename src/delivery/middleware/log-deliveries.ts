import type { Middleware } from "./middleware.ts";

/** Logs the beginning and the end of each handling at level `info`, with its duration in milliseconds. */
export function logDeliveries(): Middleware {
  return async (event, ctx, next) => {
    const startedAtMs = ctx.now();
    ctx.log.info({ time: event.time }, "handling begins");
    try {
      await next();
      ctx.log.info({ durationMs: ctx.now() - startedAtMs }, "handled");
    } catch (error) {
      ctx.log.info({ durationMs: ctx.now() - startedAtMs, err: error }, "handling failed");
      throw error;
    }
  };
}
