import type { CancelTimer } from "../../platform/clock.ts";
import type { Event } from "../../event/envelope.ts";
import type { Delivery } from "../lanes/delivery.ts";
import { currentUnit, limited, prepare } from "./execute.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { BatchItem, Route } from "../service.ts";
import type { UnitOfWork } from "../unit-of-work.ts";

/** Puts deliveries of batch handlers together and runs them. */
export interface Batches {
  add(delivery: Delivery): void;
  /** Runs what waits for company now. */
  stop(): void;
}

/** What becomes of the items of a batch. */
export interface BatchOutcome {
  ended(delivery: Delivery): void;
  failed(delivery: Delivery, error: unknown): void;
}

interface Gathering {
  readonly deliveries: Delivery[];
  cancel: CancelTimer | undefined;
}

/**
 * Each lane gives one delivery at a time, so a batch holds at most one event of a key: an item that fails holds nothing
 * back but its own key, and later events of that key have not been handled.
 */
export function createBatches(runtime: SubscriptionRuntime, outcome: () => BatchOutcome): Batches {
  const gatherings = new Map<Route, Gathering>();

  function runBatch(route: Route): void {
    const gathering = gatherings.get(route);
    if (!gathering) return;
    gatherings.delete(route);
    gathering.cancel?.();
    void handle(route, gathering.deliveries);
  }

  async function handle(route: Route, deliveries: readonly Delivery[]): Promise<void> {
    const failures = new Map<Delivery, unknown>();
    const items: BatchItem<string, never>[] = [];
    const present: Delivery[] = [];
    for (const delivery of deliveries) {
      try {
        const events = prepare(delivery, runtime);
        present.push(delivery);
        for (const event of events) items.push(itemOf(event, delivery, failures));
      } catch (error) {
        failures.set(delivery, error);
      }
    }
    const [first] = present;
    if (first && items.length > 0) {
      try {
        const work = async (): Promise<void> => route.batch?.handler(items);
        await limited(first, runtime, currentUnit.run(first.unit as UnitOfWork, work));
      } catch (error) {
        for (const delivery of present) if (!failures.has(delivery)) failures.set(delivery, error);
      }
    }
    for (const delivery of deliveries) {
      if (failures.has(delivery)) outcome().failed(delivery, failures.get(delivery));
      else outcome().ended(delivery);
    }
  }

  return {
    add(delivery) {
      const { route } = delivery;
      const { batchMax = 1, waitMs = 0 } = route.batch ?? {};
      let gathering = gatherings.get(route);
      if (!gathering) {
        gathering = { deliveries: [], cancel: undefined };
        gatherings.set(route, gathering);
        gathering.cancel = runtime.platform.clock.after(waitMs, () => runBatch(route));
      }
      gathering.deliveries.push(delivery);
      // With every slot taken nobody else can come.
      if (gathering.deliveries.length >= Math.min(batchMax, runtime.slots.size)) runBatch(route);
    },
    stop() {
      for (const route of Array.from(gatherings.keys())) runBatch(route);
    },
  };
}

function itemOf(event: Event, delivery: Delivery, failures: Map<Delivery, unknown>): BatchItem<string, never> {
  return {
    event: event as Event<string, never>,
    ctx: delivery.unit as UnitOfWork,
    fail: (error) => void failures.set(delivery, error),
  };
}
