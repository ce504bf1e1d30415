import { TidingsError } from "../errors/tidings-error.ts";
import { addCounts, noCounts } from "../delivery/commit/progress.ts";
import {
  collections,
  type ControlDocument,
  type Counts,
  type HeldDocument,
  partitionKey,
  positionKey,
  type PositionDocument,
  type SubscriptionDocument,
} from "../delivery/records.ts";
import { ageAt, readDefinitions } from "../delivery/totals.ts";
import { memberOf, memberPrefix, partitionLeaseName, partitionPrefix } from "../membership/names.ts";
import type { Bounds } from "../ports/topics.ts";
import { type BreakerReport, readBreakers } from "./breakers.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";
import { notFound } from "./topics.ts";

/** What stands in the store about one partition of a subscription. */
export interface PartitionLag extends Counts {
  readonly partition: number;
  /** Who owns it now; undefined when no process does. */
  readonly owner: string | undefined;
  readonly start: number;
  /** Every position below is settled. */
  readonly low: number;
  /** Where the next event will stand. */
  readonly next: number;
  readonly pending: number;
  readonly oldestAgeMs: number;
  /** Events that retention has removed before they were handled. */
  readonly lost: number;
  readonly run: number;
  readonly movedAtMs: number;
}

/** Promise P3 as numbers: `total` is last minus start, and `sum` what became of it. */
export interface Equation extends Counts {
  readonly pending: number;
  readonly sum: number;
  readonly total: number;
  readonly holds: boolean;
}

/** A subscription as operators see it. */
export interface SubscriptionReport {
  readonly subscription: string;
  readonly service: string;
  readonly topic: string;
  /** `stopped`: no process runs it. `stuck`: it has lag and owners, and nothing was committed for a minute. */
  readonly status: "ok" | "paused" | "stopped" | "stuck" | "lost";
  readonly pending: number;
  readonly oldestAgeMs: number;
  readonly heldKeys: number;
  readonly heldEvents: number;
  readonly deadLetters: number;
  readonly members: readonly string[];
  readonly paused: ControlDocument["paused"] | undefined;
  /** Circuit breakers that its deliveries wait for, as far as its handlers say so. */
  readonly breakers: readonly BreakerReport[];
  readonly equation: Equation;
  readonly partitions: readonly PartitionLag[];
  readonly definition: SubscriptionDocument;
}

/** Without a commit for so long a subscription with lag is stuck, in milliseconds. */
export const stuckAfterMs = 60_000;

/** The reports of all subscriptions, or of the named one. Throws TIDINGS_NOT_FOUND. */
export async function reportSubscriptions(
  context: AdminContext,
  names?: readonly string[],
): Promise<readonly SubscriptionReport[]> {
  const reports = [];
  for (const [name, definition] of await readDefinitions(context.engine)) {
    if (!names || names.includes(name)) reports.push(await reportOf(context, name, definition));
  }
  return reports;
}

/**
 * The definition of a subscription by its name, or by its service when that has only one. Throws TIDINGS_NOT_FOUND,
 * TIDINGS_INVALID_OPTION.
 */
export async function findSubscription(
  { engine }: AdminContext,
  name: string,
): Promise<readonly [name: string, definition: SubscriptionDocument]> {
  const all = await readDefinitions(engine);
  const exact = all.find(([known]) => known === name);
  if (exact) return exact;
  const ofService = all.filter(([, { service }]) => service === name);
  if (ofService.length === 1) return ofService[0] as (typeof ofService)[number];
  const names = all.map(([known]) => known);
  if (ofService.length === 0) throw notFound("subscription", name, names);
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The service "${name}" has several subscriptions; name one of ${ofService.map(([known]) => known).join(", ")}.`,
  );
}

async function reportOf(
  context: AdminContext,
  name: string,
  definition: SubscriptionDocument,
): Promise<SubscriptionReport> {
  const { engine, platform } = context;
  const { state, leases } = storeOf(engine);
  const nowMs = platform.clock.now();
  const partitions = await partitionLags(context, name, definition);
  const [control] = await state.get(collections.controls, [name]);
  const stored = control && (JSON.parse(control.value) as ControlDocument).paused;
  const paused = stored?.untilMs !== undefined && stored.untilMs <= nowMs ? undefined : stored;
  const held = await countHeld(context, name);
  const members = (await leases.list(memberPrefix(name))).map(({ owner }) => memberOf(owner));
  const pending = partitions.reduce((sum, partition) => sum + partition.pending, 0);
  return {
    subscription: name,
    service: definition.service,
    topic: definition.topic,
    status: statusOf(partitions, paused !== undefined, members.length > 0, nowMs),
    pending,
    oldestAgeMs: Math.max(0, ...partitions.map(({ oldestAgeMs }) => oldestAgeMs)),
    heldKeys: held.keys,
    heldEvents: held.events,
    deadLetters: await state.count(collections.deadLetters(name)),
    members,
    paused,
    breakers: await readBreakers(context, definition.guards ?? []),
    equation: equationOf(partitions, pending),
    partitions,
    definition,
  };
}

function statusOf(
  partitions: readonly PartitionLag[],
  paused: boolean,
  live: boolean,
  nowMs: number,
): SubscriptionReport["status"] {
  if (partitions.some(({ lost }) => lost > 0)) return "lost";
  if (paused) return "paused";
  if (!live) return "stopped";
  const stuck = partitions.some(
    ({ pending, movedAtMs, oldestAgeMs }) =>
      pending > 0 && oldestAgeMs > stuckAfterMs && nowMs - movedAtMs > stuckAfterMs,
  );
  return stuck ? "stuck" : "ok";
}

async function partitionLags(
  { engine, platform }: AdminContext,
  name: string,
  definition: SubscriptionDocument,
): Promise<readonly PartitionLag[]> {
  const { state, leases } = storeOf(engine);
  const owners = new Map(
    (await leases.list(partitionPrefix(name))).map((lease) => [lease.name, memberOf(lease.owner)]),
  );
  const keys = Array.from({ length: definition.partitions }, (_, partition) => positionKey(name, partition));
  // Positions before bounds: then no position lies beyond what is known to be there.
  const positions = await state.get(collections.positions, keys);
  const bounds = await engine.topics.bounds(definition.topic);
  const rows: PartitionLag[] = [];
  for (const [partition, document] of positions.entries()) {
    if (!document) continue;
    const position = JSON.parse(document.value) as PositionDocument;
    const range = bounds[partition] ?? { first: 0, next: 0 };
    const owner = owners.get(partitionLeaseName(name, { topic: definition.topic, partition }));
    const pending = pendingOf(position, range);
    const oldestAgeMs =
      pending > 0 ? await ageAt(engine, definition.topic, partition, position.low, platform.clock.now()) : 0;
    const { start, low, run, movedAtMs, counts } = position;
    const lost = Math.max(0, range.first - low);
    rows.push({
      partition,
      owner,
      start,
      low,
      next: range.next,
      pending,
      oldestAgeMs,
      lost,
      run,
      movedAtMs,
      ...counts,
    });
  }
  return rows;
}

function pendingOf({ low, finished }: PositionDocument, { next }: Bounds): number {
  const above = finished.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return Math.max(0, next - low - above);
}

function equationOf(partitions: readonly PartitionLag[], pending: number): Equation {
  let counts = noCounts;
  for (const { handled, held, discarded, filtered, expired, skipped, unknown } of partitions)
    counts = addCounts(counts, { handled, held, discarded, filtered, expired, skipped, unknown });
  const total = partitions.reduce((sum, { next, start }) => sum + Math.max(0, next - start), 0);
  const sum = pending + Object.values(counts).reduce((all, count: number) => all + count, 0);
  return { ...counts, pending, sum, total, holds: sum === total };
}

async function countHeld({ engine }: AdminContext, name: string): Promise<{ keys: number; events: number }> {
  let keys = 0;
  let events = 0;
  for await (const [, held] of scanAll<HeldDocument>(storeOf(engine).state, collections.held(name))) {
    keys += 1;
    events += held.nextSeq - held.headSeq;
  }
  return { keys, events };
}

/** How many keys are held in one partition. */
export function countHeldKeys({ engine }: AdminContext, name: string, partition: number): Promise<number> {
  return storeOf(engine).state.count(collections.held(name), `${partitionKey(partition)}/`);
}
