import { TidingsError } from "../../errors/tidings-error.ts";
import { decode } from "../../event/decode.ts";
import type { Event } from "../../event/envelope.ts";
import type { Delivery } from "../lanes/delivery.ts";
import { compose } from "../middleware/middleware.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Handler } from "../service.ts";
import { UnitOfWork } from "../unit-of-work.ts";

/** Decodes the event of a delivery and gives it a fresh unit of work. Throws what `decode` throws. */
export function prepare(delivery: Delivery, runtime: SubscriptionRuntime): readonly Event[] {
  if (delivery.commitError !== undefined) {
    const error = delivery.commitError as Error;
    delivery.commitError = undefined;
    throw error;
  }
  delivery.guarded?.begin();
  delivery.unit = new UnitOfWork(runtime.host, delivery);
  delivery.writes = undefined;
  // A rule may have discarded it, in a run that was thrown away with what it ran on top of.
  if (delivery.as === "discarded") delivery.as = "handled";
  return decode(delivery.record, delivery.route.contract as never, runtime.limits);
}

/**
 * Runs the handler of a delivery. Returns nothing when a synchronous handler has ended, else a Promise;
 * throws or rejects with what the handler threw, or TIDINGS_HANDLER_TIMEOUT.
 */
export function execute(delivery: Delivery, runtime: SubscriptionRuntime): void | Promise<void> {
  const events = prepare(delivery, runtime);
  const handler = delivery.route.handler as Handler<string, unknown>;
  const unit = delivery.unit as UnitOfWork;
  const [event] = events;
  if (events.length !== 1 || event === undefined || runtime.middlewares.length > 0) {
    return limited(delivery, runtime, runtime.scope(runAll, events, unit, runtime, handler));
  }
  const result = runtime.scope(handler, event, unit) as Promise<void> | null | undefined;
  if (typeof result?.then !== "function") return undefined;
  return limited(delivery, runtime, result);
}

/** One stored event may be none or several after its upcasters: still one delivery. */
async function runAll(
  events: readonly Event[],
  unit: UnitOfWork,
  runtime: SubscriptionRuntime,
  handler: Handler<string, unknown>,
): Promise<void> {
  for (const event of events) await compose(runtime.middlewares, event, unit, () => handler(event, unit));
}

/** Fails the delivery when the handler takes longer than it may; the handler is told by the signal of each unit. */
export function limited(
  delivery: Delivery,
  runtime: SubscriptionRuntime,
  work: Promise<void>,
  units: readonly UnitOfWork[] = delivery.unit ? [delivery.unit] : [],
): Promise<void> {
  const { timeoutMs } = delivery.route.policy;
  return new Promise((resolve, reject) => {
    const unwatch = runtime.deadlines.watch(timeoutMs, () => {
      const error = new TidingsError(
        "TIDINGS_HANDLER_TIMEOUT",
        `The handler of "${delivery.record.type}" in "${runtime.name}" ran longer than ${timeoutMs} ms.`,
        { details: { subscription: runtime.name, type: delivery.record.type, event: delivery.record.id, timeoutMs } },
      );
      for (const unit of units) unit.abort(error);
      reject(error);
    });
    work.then(
      () => {
        unwatch();
        resolve();
      },
      (error: unknown) => {
        unwatch();
        reject(error);
      },
    );
  });
}
