import type { Claims } from "../commit/claims.ts";
import { refusing } from "../guards/entrance.ts";
import type { Delivery } from "../lanes/delivery.ts";
import { type HeldEntry, noteSuspect } from "../held/held-entry.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { Lanes } from "../lanes/lanes.ts";
import type { Progress } from "../commit/progress.ts";
import type { ClaimDocument, PositionDocument } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Ingest } from "./ingest.ts";
import { LastOwners } from "./last-owners.ts";
import { stalledError } from "../failure/stalled.ts";
import { SuspectGroup } from "./suspect-group.ts";

/** What is needed to run the suspects of a partition. */
export interface SuspectsOptions {
  readonly runtime: SubscriptionRuntime;
  readonly number: number;
  readonly progress: Progress;
  readonly lanes: Lanes;
  readonly held: HeldKeys;
  readonly claims: Claims;
  readonly claimed: ClaimDocument | undefined;
  /** Who owns the partition now. */
  readonly owner: string;
  readonly heldSuspects: readonly HeldEntry[];
  readonly document: PositionDocument;
  readonly ingest: Ingest;
  readonly stopped: () => boolean;
}

/**
 * Whatever the last owner had claimed and not settled may have killed it: these run before anything else of the process, a few
 * together, and whom a second death leaves under suspicion alone. Only a death during a run alone counts as a stall; after too
 * many the event is parked and the others go on. Once it shows that the last owner lives and has only lost the partition,
 * the rest runs as ever.
 */
export async function runSuspects(options: SuspectsOptions): Promise<void> {
  const { claimed, claims, document, heldSuspects, runtime } = options;
  const lastOwners = lastOwnersOf(options);
  if (claimed) claims.inherit(claimed, (await lastOwners?.live()) ?? false);
  const open = claimed !== undefined && Math.max(claimed.to, claims.suspectsEnd()) > document.low;
  if (!open) claims.inherited();
  if (!open && heldSuspects.length === 0) return;
  runtime.gate.enter();
  try {
    for (const entry of heldSuspects) noteHeldSuspect(entry, options);
    if (open) await runClaimed(options, claimed, lastOwners);
  } finally {
    runtime.gate.leave();
  }
}

/** Undefined where nobody has claimed, and where the engine has no leases that could tell. */
function lastOwnersOf({ claimed, owner, runtime }: SuspectsOptions): LastOwners | undefined {
  const { leases } = runtime.engine;
  if (!claimed || !leases) return undefined;
  return new LastOwners({ leases, clock: runtime.platform.clock, group: runtime.name, owner, by: claimed.by });
}

async function runClaimed(
  options: SuspectsOptions,
  claimed: ClaimDocument,
  lastOwners: LastOwners | undefined,
): Promise<void> {
  const { runtime, progress, number, claims, lanes } = options;
  const group = new SuspectGroup({ ...options, mustWait: (delivery) => mustWait(delivery, options) });
  let found = 0;
  // Claims reach ahead of what is published: what comes from now on cannot have killed anybody, and is not to wait alone.
  const bounds = await runtime.engine.topics.bounds(runtime.topic);
  const published = bounds[number]?.next ?? claimed.to;
  claims.keep(Math.min(claimed.to, published));
  const to = Math.min(Math.max(claimed.to, claims.suspectsEnd()), published);
  while (progress.next < to && !options.stopped()) {
    const page = await runtime.engine.topics.read(runtime.topic, number, progress.next, {
      events: Math.min(64, to - progress.next),
      bytes: runtime.prefetch.bytes,
    });
    // Gone by retention: the fetch loop will say so.
    if (page.lost > 0 || page.records.length === 0) break;
    for (const record of page.records) {
      if (group.has(record.key)) found += await group.run();
      if (options.stopped()) return;
      const delivery = await options.ingest.takeOnce(record);
      if (!delivery) continue;
      // Between suspects that an owner before could not run stands what nobody has begun, or nobody has died of.
      const isNamed = claims.stallsOf(record.position) !== undefined;
      const isSuspect = isNamed || (record.position < claimed.to && !(await lastOwners?.live()));
      const failures = claimed.failures?.[record.position];
      if (failures !== undefined) delivery.tries = { ...delivery.tries, failures };
      if (isSuspect) recall(delivery, claimed, options);
      if (!isSuspect) lanes.enqueue(delivery);
      else if (isNamed) found += (await group.run()) + (await runNamed(delivery, options));
      else if (group.add(delivery)) found += await group.run();
    }
  }
  found += await group.run();
  if (!options.stopped()) claims.inherited();
  if (found > 0) {
    runtime.log.warn(
      { subscription: runtime.name, partition: number, events: found },
      "events that were running when a process died were run before anything else",
    );
  }
}

/** Runs a suspect with nothing beside it, if it need not wait. Returns how many ran. */
async function runNamed(delivery: Delivery, options: SuspectsOptions): Promise<number> {
  const { lanes, runtime } = options;
  if (mustWait(delivery, options)) {
    lanes.enqueue(delivery);
    return 0;
  }
  await runtime.gate.alone(() => lanes.runAlone(delivery));
  return 1;
}

/**
 * A pause, a guard or what blocks its partition leaves it where it is, a suspect still, while others go on. Whoever comes
 * behind it in its lane must not overtake it, and is not let through a guard first: it might be the probe for which the one
 * before it waits.
 */
function mustWait(delivery: Delivery, { lanes }: SuspectsOptions): boolean {
  const first = lanes.find(delivery.record.key)?.queue[0] ?? delivery;
  if (first !== delivery || lanes.isHeldUp()) return true;
  return delivery.commitError === undefined && refusing(delivery) !== undefined;
}

/** Gives a suspect the number of times that it has killed its process. */
function recall(delivery: Delivery, claimed: ClaimDocument, { claims, runtime }: SuspectsOptions): void {
  const { position } = delivery.record;
  const stalls = claims.stallsOf(position) ?? 0;
  if (claimed.solo?.position === position && stalls > claimed.solo.stalls) runtime.metrics.stalls.add();
  delivery.suspect = true;
  claims.await(position, stalls);
  delivery.tries = { ...delivery.tries, stalls, deliveries: stalls };
  if (stalls >= delivery.route.policy.retry.stallsMax)
    delivery.commitError = stalledError(delivery.record, runtime.name, stalls);
}

/** A held head that was running: at its next run it is alone, and a death then counts. */
function noteHeldSuspect(entry: HeldEntry, options: SuspectsOptions): void {
  if (entry.running === "solo") options.held.stalled(entry);
  noteSuspect(entry);
}
