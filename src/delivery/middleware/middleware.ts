import type { Event } from "../../event/envelope.ts";
import type { Context } from "../context.ts";

/**
 * Wraps the handling of one event: does something, awaits `next()`, does something else. Throwing fails the delivery, as if
 * the handler had thrown; not calling `next` means that the handler does not run and the event counts as handled.
 */
export type Middleware = (event: Event, ctx: Context, next: () => Promise<void>) => Promise<void>;

/** Runs the middlewares around a handler, the first one outermost. */
export function compose(
  middlewares: readonly Middleware[],
  event: Event,
  ctx: Context,
  handler: () => void | Promise<void>,
): Promise<void> {
  const run = async (index: number): Promise<void> => {
    const middleware = middlewares[index];
    if (!middleware) return handler();
    let called = false;
    await middleware(event, ctx, () => {
      if (called) throw new Error("A middleware called next() twice.");
      called = true;
      return run(index + 1);
    });
  };
  return run(0);
}
