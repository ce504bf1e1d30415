import type { Bounds } from "../ports/topics.ts";
import type { Engine } from "../ports/engine.ts";
import { addCounts, noCounts } from "./commit/progress.ts";
import {
  collections,
  type ControlDocument,
  type Counts,
  type HeldDocument,
  positionKey,
  type PositionDocument,
  type SubscriptionDocument,
} from "./records.ts";

/** What stands in the store about a subscription: by promise P3, last minus start = the counts + pending. */
export interface SubscriptionTotals extends Counts {
  /** `<service>/<topic>`. */
  readonly subscription: string;
  readonly service: string;
  readonly topic: string;
  readonly epoch: number;
  /** Published and not settled: the lag. */
  readonly pending: number;
  /** Appended since the run began. */
  readonly total: number;
  readonly deadLetters: number;
  /** Keys that are held, and among them those that will go on by themselves. */
  readonly heldKeys: number;
  readonly heldRetrying: number;
  /** Age of the oldest pending event; 0 when nothing is pending. */
  readonly oldestAgeMs: number;
  readonly paused: ControlDocument["paused"] | undefined;
}

/** Totals of the whole store. */
export interface Totals {
  /** Distinct events in all topics, those that retention has removed included. */
  readonly published: number;
  readonly subscriptions: readonly SubscriptionTotals[];
}

/** Reads the totals of every subscription in the store, or of the named ones. */
export async function readTotals(engine: Engine, nowMs: number, names?: readonly string[]): Promise<Totals> {
  const topics = await engine.topics.list();
  const bounds = new Map<string, readonly Bounds[]>();
  for (const { name } of topics) bounds.set(name, await engine.topics.bounds(name));
  let published = 0;
  for (const partitions of bounds.values()) for (const { next } of partitions) published += next;
  const subscriptions = [];
  for (const [name, definition] of await readDefinitions(engine)) {
    if (names && !names.includes(name)) continue;
    subscriptions.push(await readSubscription(engine, name, definition, bounds.get(definition.topic) ?? [], nowMs));
  }
  return { published, subscriptions };
}

/** Definitions of all subscriptions, by name. */
export async function readDefinitions(engine: Engine): Promise<readonly (readonly [string, SubscriptionDocument])[]> {
  const documents = (await engine.state?.scan(collections.subscriptions, { limit: 100_000 })) ?? [];
  return documents.map(({ key, value }) => [key, JSON.parse(value) as SubscriptionDocument] as const);
}

/** Positions of a subscription, by partition. */
export async function readPositions(
  engine: Engine,
  name: string,
  partitions: number,
): Promise<readonly PositionDocument[]> {
  const keys = Array.from({ length: partitions }, (_, partition) => positionKey(name, partition));
  const documents = (await engine.state?.get(collections.positions, keys)) ?? [];
  return documents.flatMap((document) => (document ? [JSON.parse(document.value) as PositionDocument] : []));
}

async function readSubscription(
  engine: Engine,
  name: string,
  definition: SubscriptionDocument,
  bounds: readonly Bounds[],
  nowMs: number,
): Promise<SubscriptionTotals> {
  const positions = await readPositions(engine, name, definition.partitions);
  let counts = noCounts;
  let total = 0;
  let pending = 0;
  let oldestAgeMs = 0;
  for (const [partition, position] of positions.entries()) {
    const next = bounds[partition]?.next ?? 0;
    counts = addCounts(counts, position.counts);
    total += Math.max(0, next - position.start);
    const settledAbove = position.finished.reduce((sum, [from, to]) => sum + to - from + 1, 0);
    const waiting = Math.max(0, next - position.low - settledAbove);
    pending += waiting;
    if (waiting > 0)
      oldestAgeMs = Math.max(oldestAgeMs, await ageAt(engine, definition.topic, partition, position.low, nowMs));
  }
  const held = (await engine.state?.scan(collections.held(name), { limit: 100_000 })) ?? [];
  const [control] = (await engine.state?.get(collections.controls, [name])) ?? [];
  const paused = control ? (JSON.parse(control.value) as ControlDocument).paused : undefined;
  return {
    subscription: name,
    service: definition.service,
    topic: definition.topic,
    epoch: definition.epoch,
    ...counts,
    pending,
    total,
    deadLetters: (await engine.state?.count(collections.deadLetters(name))) ?? 0,
    heldKeys: held.length,
    heldRetrying: held.filter(({ value }) => goesOnByItself(JSON.parse(value) as HeldDocument)).length,
    oldestAgeMs,
    paused: paused?.untilMs !== undefined && paused.untilMs <= nowMs ? undefined : paused,
  };
}

function goesOnByItself(held: HeldDocument): boolean {
  return held.reason === "retry" || held.reason === "drain";
}

/** How long ago the first event from a position on was appended, in milliseconds; 0 when there is none. */
export async function ageAt(
  engine: Engine,
  topic: string,
  partition: number,
  position: number,
  nowMs: number,
): Promise<number> {
  const page = await engine.topics.read(topic, partition, position, { events: 1, bytes: 1 });
  const [oldest] = page.records;
  return oldest ? Math.max(0, nowMs - oldest.appendedAtMs) : 0;
}
