import type { Admin } from "../../admin/admin.ts";
import { readTotals, type SubscriptionTotals } from "../../delivery/totals.ts";
import { isComposed } from "../../outbox/composed.ts";
import { unsent } from "../../outbox/sweep.ts";
import type { Engine } from "../../ports/engine.ts";
import { collections } from "../../delivery/records.ts";
import type { Dice } from "./dice.ts";
import { epochMs } from "./node-clock.ts";
import type { SimNode } from "./node.ts";
import { drawPace } from "./redrive-operator.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Witness } from "./witness.ts";

/** What the second phase works with. */
export interface HealOptions {
  readonly scheduler: Scheduler;
  readonly nodes: readonly SimNode[];
  /** The newest definition. */
  readonly epoch: () => number;
  readonly observer: Engine;
  readonly admin: Admin;
  /** Whether the workload still publishes, or operators are not through. */
  readonly working: () => boolean;
  /** Whether to redrive all dead letters once everything is at rest. */
  readonly redrive: boolean;
  /** Where there may be redrive operations: chance for what is done with them. */
  readonly operations: Dice | undefined;
  readonly witness: Witness;
}

/** How long everything may take to drain, in virtual time: where many events kill, each death costs what a lease lasts. */
const deadlineMs = 60 * 60_000;

/** How often to look whether it has. */
const lookEveryMs = 1000;

/**
 * The faults are over: every node runs the newest definition, pauses are lifted, and everything drains or waits visibly
 * for an operator. What has not drained by the deadline is found by the checker. In the end all nodes stop.
 */
export async function heal(options: HealOptions): Promise<void> {
  const { scheduler, nodes, admin } = options;
  const untilMs = scheduler.nowMs + deadlineMs;
  void startAll(options);
  await quiet(options, untilMs);
  if (options.redrive && scheduler.nowMs < untilMs) {
    const { operations } = options;
    const work = operations ? admin.redrives.start({}, drawPace(operations)) : admin.deadLetters.redrive({});
    await during(scheduler, untilMs, work);
    await quiet(options, untilMs);
  }
  await during(scheduler, scheduler.nowMs + 120_000, Promise.all(nodes.map((node) => node.stop())));
}

/** Lets time pass until work has ended, or until an instant. */
async function during(scheduler: Scheduler, untilMs: number, work: Promise<unknown>): Promise<void> {
  let over = false;
  const finish = (): void => void (over = true);
  work.then(finish, finish);
  await scheduler.runUntil(untilMs, () => over);
}

/** Brings every node to the newest definition, one after the other, and back to life. */
async function startAll({ scheduler, nodes, epoch }: HealOptions): Promise<void> {
  for (const node of nodes) {
    if (node.alive && node.epoch !== epoch()) await node.stop();
    node.epoch = epoch();
    node.start();
    await scheduler.sleep(10);
  }
}

async function quiet(options: HealOptions, untilMs: number): Promise<void> {
  const { scheduler, observer, working } = options;
  for (let before = ""; scheduler.nowMs < untilMs;) {
    await scheduler.runUntil(scheduler.nowMs + lookEveryMs);
    const { published, subscriptions } = await readTotals(observer, epochMs + scheduler.nowMs);
    const open = subscriptions.filter(isOpen);
    const now = JSON.stringify([published, subscriptions.map(({ handled, held }) => [handled, held])]);
    const waiting = isComposed(observer) ? await unsent(observer.store) : 0;
    const redrives = options.operations ? await observer.state?.count(collections.redrives) : 0;
    const ready = options.nodes.every(({ app }) => app !== undefined);
    if (!working() && ready && open.length === 0 && waiting === 0 && redrives === 0 && now === before) return;
    before = open.length === 0 ? now : "";
    await during(scheduler, scheduler.nowMs + 30_000, goOn(options, subscriptions));
    if (options.operations) await during(scheduler, scheduler.nowMs + 30_000, goOnRedriving(options.admin, options.operations)); // prettier-ignore
  }
}

const isOpen = ({ pending, heldRetrying, paused }: SubscriptionTotals): boolean =>
  pending > 0 || heldRetrying > 0 || paused !== undefined;

/** Lifts the pauses of subscriptions and keys. Refusals are no matter: it is asked again. */
async function goOn({ admin, observer }: HealOptions, subscriptions: readonly SubscriptionTotals[]): Promise<void> {
  for (const { subscription, paused, heldKeys } of subscriptions) {
    if (paused) await admin.subscriptions.resume(subscription).catch(() => undefined);
    if (heldKeys === 0) continue;
    for (const { key } of await admin.heldKeys.list({ subscription, reason: "paused" })) {
      // Somebody must own the partition who can be asked; else it would be done by us, while nobody runs.
      if (key !== null && (await observer.leases?.list("partition/"))?.length)
        await admin.heldKeys.resume(subscription, key).catch(() => undefined);
    }
  }
}

/** Operations that somebody has paused go on, or are given up. */
async function goOnRedriving({ redrives }: Admin, dice: Dice): Promise<void> {
  for (const { id, state, endedAtMs } of await redrives.list()) {
    if (state !== "paused" || endedAtMs !== undefined) continue;
    await (dice.chance(0.7) ? redrives.resume(id) : redrives.cancel(id)).catch(() => undefined);
  }
}
