import type { Claims } from "../commit/claims.ts";
import { enterNow } from "../guards/entrance.ts";
import type { Delivery } from "../lanes/delivery.ts";
import type { HeldEntry } from "../held/held-entry.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { Lanes } from "../lanes/lanes.ts";
import type { Progress } from "../commit/progress.ts";
import type { ClaimDocument, PositionDocument } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Ingest } from "./ingest.ts";
import { stalledError } from "../failure/stalled.ts";

/** What is needed to run the suspects of a partition. */
export interface SuspectsOptions {
  readonly runtime: SubscriptionRuntime;
  readonly number: number;
  readonly progress: Progress;
  readonly lanes: Lanes;
  readonly held: HeldKeys;
  readonly claims: Claims;
  readonly claimed: ClaimDocument | undefined;
  readonly heldSuspects: readonly HeldEntry[];
  readonly document: PositionDocument;
  readonly ingest: Ingest;
  readonly stopped: () => boolean;
}

/**
 * Whatever the last owner had claimed and not settled may have killed it: each of these runs alone. Only a death during
 * such a run counts as a stall; after too many the event is parked and the others go on.
 */
export async function runSuspects(options: SuspectsOptions): Promise<void> {
  const { claimed, document, heldSuspects, runtime } = options;
  const open = claimed !== undefined && claimed.to > document.low;
  if (!open && heldSuspects.length === 0) return;
  runtime.gate.enter();
  try {
    for (const entry of heldSuspects) noteHeldSuspect(entry, options);
    if (open) await runClaimed(options, claimed);
  } finally {
    runtime.gate.leave();
  }
}

async function runClaimed(options: SuspectsOptions, claimed: ClaimDocument): Promise<void> {
  const { runtime, progress, number } = options;
  let found = 0;
  // Claims reach ahead of what is published: what comes from now on cannot have killed anybody, and is not to wait alone.
  const bounds = await runtime.engine.topics.bounds(runtime.topic);
  const to = Math.min(claimed.to, bounds[number]?.next ?? claimed.to);
  while (progress.next < to && !options.stopped()) {
    const page = await runtime.engine.topics.read(runtime.topic, number, progress.next, {
      events: Math.min(64, to - progress.next),
      bytes: runtime.prefetch.bytes,
    });
    // Gone by retention: the fetch loop will say so.
    if (page.lost > 0 || page.records.length === 0) break;
    for (const record of page.records) {
      if (options.stopped()) return;
      const delivery = await options.ingest.takeOnce(record);
      if (!delivery) continue;
      const stalls = recall(delivery, claimed, runtime);
      // A pause or a guard leaves it where it is, and whoever comes behind it in its lane must not overtake it. That one is
      // not let through a guard first: it might be the probe for which the one before it waits.
      const isBehind = (options.lanes.find(record.key)?.queue.length ?? 0) > 0;
      if (isBehind || runtime.paused() || !enterNow(delivery, runtime.platform.clock)) options.lanes.enqueue(delivery);
      else {
        found += 1;
        await runtime.gate.alone(() => runSuspect(delivery, stalls, options));
      }
    }
  }
  if (found > 0) {
    runtime.log.warn(
      { subscription: runtime.name, partition: number, events: found },
      "events that were running when a process died were run one at a time",
    );
  }
}

/** Gives a suspect the tries that the claim remembers; returns how often it has killed its process. */
function recall(delivery: Delivery, claimed: ClaimDocument, runtime: SubscriptionRuntime): number {
  const { position } = delivery.record;
  const solo = claimed.solo?.position === position ? claimed.solo : undefined;
  const stalls = solo ? solo.stalls + 1 : 0;
  if (solo) runtime.metrics.stalls.add();
  delivery.tries = { ...delivery.tries, failures: claimed.failures?.[position] ?? 0, stalls, deliveries: stalls };
  if (stalls >= delivery.route.policy.retry.stallsMax)
    delivery.commitError = stalledError(delivery.record, runtime.name, stalls);
  return stalls;
}

async function runSuspect(delivery: Delivery, stalls: number, { claims, lanes }: SuspectsOptions): Promise<void> {
  await claims.solo(delivery.record.position, stalls);
  await lanes.runAlone(delivery);
}

/** A held head that was running: at its next run it is alone, and a death then counts. */
function noteHeldSuspect(entry: HeldEntry, options: SuspectsOptions): void {
  if (entry.running === "solo") options.held.stalled(entry);
  entry.suspect = true;
  // Until it runs alone, nobody can have died under that.
  entry.running = "shared";
}
