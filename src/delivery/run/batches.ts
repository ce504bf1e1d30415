import type { CancelTimer } from "../../platform/clock.ts";
import { beginHook, endHook } from "../hooks.ts";
import type { Delivery } from "../lanes/delivery.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { BatchHandler, Route } from "../service.ts";
import { runBatch } from "./batch-run.ts";

/** Puts deliveries of batch handlers together and runs them. */
export interface Batches {
  add(delivery: Delivery): void;
  /** Runs what waits for company now. */
  stop(): void;
  /** Gives back what waits for company: nobody runs it here. */
  drop(): readonly Delivery[];
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

  function run(route: Route): void {
    const gathering = gatherings.get(route);
    if (!gathering) return;
    gatherings.delete(route);
    gathering.cancel?.();
    void handle(route, gathering.deliveries);
  }

  async function handle(route: Route, deliveries: readonly Delivery[]): Promise<void> {
    const { clock } = runtime.platform;
    const startedAt = clock.monotonic();
    const hooks = deliveries.map((delivery) => beginHook(runtime, delivery));
    const failures = await runBatch(route.batch?.handler as BatchHandler<string, never>, deliveries, runtime);
    for (const [index, delivery] of deliveries.entries()) {
      runtime.metrics.duration.record((clock.monotonic() - startedAt) / 1000);
      const failed = failures.has(delivery);
      endHook(runtime, hooks[index], failed ? failures.get(delivery) : undefined);
      if (failed) outcome().failed(delivery, failures.get(delivery));
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
        gathering.cancel = runtime.platform.clock.after(waitMs, () => run(route));
      }
      gathering.deliveries.push(delivery);
      // With every slot taken nobody else can come.
      if (gathering.deliveries.length >= Math.min(batchMax, runtime.slots.size)) run(route);
    },
    stop() {
      for (const route of Array.from(gatherings.keys())) run(route);
    },
    drop() {
      const dropped = [...gatherings.values()];
      gatherings.clear();
      for (const { cancel } of dropped) cancel?.();
      return dropped.flatMap(({ deliveries }) => deliveries);
    },
  };
}
