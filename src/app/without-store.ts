import { TidingsError } from "../errors/tidings-error.ts";
import type { SubscriptionRuntime } from "../delivery/runtime.ts";

/**
 * Refuses what a subscription cannot have on a broker that keeps no more than its position: effects once, and held keys. Throws
 * TIDINGS_UNSUPPORTED with the two ways out.
 */
export function checkWithoutStore({ name, engine, guarantee, routes, inboxWindowMs }: SubscriptionRuntime): void {
  if (engine.capabilities.transactions) return;
  const blocking = [...routes].find(([, { policy }]) => policy.onFailure !== "blockPartition");
  const asked =
    guarantee !== "at-least-once"
      ? `the guarantee ${guarantee}`
      : blocking
        ? `onFailure "${blocking[1].policy.onFailure}" for ${blocking[0]}`
        : inboxWindowMs !== undefined
          ? "an inbox"
          : undefined;
  if (asked === undefined) return;
  throw new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `"${name}" asks for ${asked}, which needs a store beside ${engine.name}: name one with the option store or TIDINGS_STORE (sqlite on one machine, postgres for several), or give its service { guarantee: "at-least-once", onFailure: "blockPartition" } and no inbox.`,
    { details: { engine: engine.name, subscription: name } },
  );
}
