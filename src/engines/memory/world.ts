import { TidingsError } from "../../errors/tidings-error.ts";
import type { EventRecord, StoredRecord } from "../../event/record.ts";
import { byCodeUnits, type SortedList, sortedList } from "../../lib/sorted-list.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Document } from "../../ports/state.ts";
import type { Timer } from "../../ports/timers.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import type { EffectObserver, FaultHook } from "./faults.ts";
import type { Handle } from "./handle.ts";

/** One partition: the record at index 0 has the position `first`. */
export interface PartitionLog {
  first: number;
  bytes: number;
  lastAppendedAtMs: number;
  readonly records: StoredRecord[];
  /** By record, its size, so that reads and retention need not measure again. */
  readonly sizes: number[];
}

/** A topic; a partition takes memory from its first event on. */
export interface TopicData {
  readonly spec: TopicSpec;
  readonly logs: (PartitionLog | undefined)[];
}

/** Documents of one collection, and their keys in order. */
export interface CollectionData {
  readonly documents: Map<string, Document>;
  readonly keys: SortedList<string>;
}

/** Timers of one queue, by key and by time. */
export interface QueueData {
  readonly byKey: Map<string, Timer>;
  readonly byDue: SortedList<Timer>;
}

/** A lease; it stays when it is free, since its token must never go back. */
export interface LeaseData {
  readonly name: string;
  owner: string | undefined;
  token: number;
  expiresAtMs: number;
}

/** An id that a caller chose, with the event it stands for. */
export interface KnownId {
  readonly record: EventRecord & { readonly position: number };
  readonly publishedAtMs: number;
}

/** Everything that outlives a crash of one of the engines on it. */
export interface World {
  /** The clock that leases and appends go by: the first engine's, unless one was given. */
  clock: Clock | undefined;
  readonly topics: Map<string, TopicData>;
  readonly topicNames: SortedList<string>;
  readonly collections: Map<string, CollectionData>;
  readonly queues: Map<string, QueueData>;
  readonly leases: Map<string, LeaseData>;
  readonly leaseNames: SortedList<string>;
  /** By source and id, oldest first. */
  readonly knownIds: Map<string, KnownId>;
  timerVersions: number;
  readonly handles: Set<Handle>;
  readonly faultHooks: Set<FaultHook>;
  readonly observers: Set<EffectObserver>;
}

/** An empty world. */
export function createWorld(clock: Clock | undefined): World {
  return {
    clock,
    topics: new Map(),
    topicNames: sortedList(byCodeUnits),
    collections: new Map(),
    queues: new Map(),
    leases: new Map(),
    leaseNames: sortedList(byCodeUnits),
    knownIds: new Map(),
    timerVersions: 0,
    handles: new Set(),
    faultHooks: new Set(),
    observers: new Set(),
  };
}

/** The world's time. */
export function worldNow(world: World): number {
  return (world.clock as Clock).now();
}

/** The topic, or TIDINGS_NOT_FOUND. */
export function topicOf(world: World, name: string): TopicData {
  const topic = world.topics.get(name);
  if (topic) return topic;
  throw new TidingsError("TIDINGS_NOT_FOUND", `There is no topic "${name}"; declare it first.`, {
    details: { topic: name },
  });
}

/** Refuses a partition that the topic does not have. */
export function checkPartition(topic: TopicData, partition: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < topic.spec.partitions) return;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `Topic "${topic.spec.name}" has the partitions 0 to ${topic.spec.partitions - 1}, not ${partition}.`,
    { details: { topic: topic.spec.name, partition } },
  );
}
