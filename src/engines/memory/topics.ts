import { TidingsError } from "../../errors/tidings-error.ts";
import { checkName } from "../../event/names.ts";
import type { StoredRecord } from "../../event/record.ts";
import { lowerBound } from "../../lib/sorted-list.ts";
import type { Bounds, ReadLimits, ReadPage, RetentionRule, TopicEntry, Topics, TopicSpec } from "../../ports/topics.ts";
import { append, copyOut, prepare, slotsOf, topicWatch } from "./append.ts";
import { memoryCapabilities } from "./capabilities.ts";
import { everything, type Handle, nothing, submit, watch } from "./handle.ts";
import { checkPartition, type PartitionLog, type TopicData, topicOf, type World } from "./world.ts";

/** The topics of the world as one engine sees them. */
export function memoryTopics(handle: Handle): Topics {
  const { world } = handle;
  const look = <Result>(run: () => Result): Promise<Result> => submit(handle, { kind: "read" }, nothing, run);
  return {
    async declare(specs) {
      const copies = specs.map(checkSpec);
      return submit(handle, { kind: "admin" }, everything, () => declare(world, copies));
    },
    list: () => look(() => [...world.topicNames.from()].map((name) => topicOf(world, name).spec)),
    find: (name) => look(() => world.topics.get(name)?.spec),
    publish: (entries) => publish(handle, entries),
    async read(topic, partition, position, limits) {
      if (Number.isSafeInteger(position) && position >= 0)
        return look(() => read(world, topic, partition, position, limits));
      throw new TidingsError("TIDINGS_INVALID_OPTION", `A position is a whole number of at least 0, not ${position}.`);
    },
    bounds: (topic) => look(() => perPartition(topicOf(world, topic), boundsOf)),
    positionsAt: (topic, timeMs) => look(() => perPartition(topicOf(world, topic), (log) => positionAt(log, timeMs))),
    retain: (topic, rule) => retain(handle, topic, rule),
    watch: (topic, listener) => watch(handle, topicWatch(topic), listener),
  };
}

function checkSpec({ name, partitions, bytesKept }: TopicSpec): TopicSpec {
  checkName("topic", name);
  if (bytesKept !== undefined)
    throw new TidingsError("TIDINGS_UNSUPPORTED", `Topic "${name}" has a bound of bytes, which this engine cannot keep by itself.`, { details: { topic: name } }); // prettier-ignore
  const { partitionsMax } = memoryCapabilities;
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= partitionsMax)
    return Object.freeze({ name, partitions });
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `Topic "${name}" may have 1 to ${partitionsMax} partitions, not ${partitions}.`,
    {
      details: { topic: name, partitions },
    },
  );
}

/** All or none: every spec is compared before the first is created. */
function declare(world: World, specs: readonly TopicSpec[]): void {
  const declared = new Map<string, TopicSpec>();
  for (const spec of specs) {
    const existing = world.topics.get(spec.name)?.spec ?? declared.get(spec.name);
    if (existing && existing.partitions !== spec.partitions) {
      throw new TidingsError(
        "TIDINGS_PARTITIONS_CHANGED",
        `Topic "${spec.name}" has ${existing.partitions} partitions and was declared with ${spec.partitions}.`,
        { details: { topic: spec.name, partitions: existing.partitions, declared: spec.partitions } },
      );
    }
    declared.set(spec.name, spec);
  }
  for (const spec of declared.values()) {
    if (world.topics.has(spec.name)) continue;
    world.topics.set(spec.name, { spec, logs: [] });
    world.topicNames.add(spec.name);
  }
}

async function publish(handle: Handle, entries: readonly TopicEntry[]): ReturnType<Topics["publish"]> {
  const prepared = entries.map(prepare);
  const slots = (): readonly string[] => slotsOf(prepared);
  return submit(handle, { kind: "publish", entries }, slots, (uncertain) => {
    const result = append(handle, prepared, uncertain);
    if ("appended" in result) return result.appended;
    const { id, source } = (prepared[result.conflict] as (typeof prepared)[number]).record;
    throw new TidingsError(
      "TIDINGS_ID_CONFLICT",
      `The event "${id}" of source "${source}" was published with another payload.`,
      {
        details: { id, source, index: result.conflict },
      },
    );
  });
}

function read(world: World, name: string, partition: number, position: number, limits: ReadLimits): ReadPage {
  const topic = topicOf(world, name);
  checkPartition(topic, partition);
  const log = topic.logs[partition];
  if (!log) return { records: [], next: position, lost: 0, end: true };
  const begin = Math.max(position, log.first);
  const records: StoredRecord[] = [];
  let bytes = 0;
  for (let index = begin - log.first; index < log.records.length; index++) {
    bytes += log.sizes[index] as number;
    if (records.length > 0 && (records.length >= limits.events || bytes > limits.bytes)) break;
    records.push(copyOut(log.records[index] as StoredRecord));
  }
  const next = begin + records.length;
  return { records, next, lost: begin - position, end: next >= log.first + log.records.length };
}

function perPartition<Result>(topic: TopicData, of: (log: PartitionLog | undefined) => Result): Result[] {
  return Array.from({ length: topic.spec.partitions }, (_, partition) => of(topic.logs[partition]));
}

function boundsOf(log: PartitionLog | undefined): Bounds {
  return log ? { first: log.first, next: log.first + log.records.length } : { first: 0, next: 0 };
}

function positionAt(log: PartitionLog | undefined, timeMs: number): number {
  return log ? log.first + lowerBound(log.records, (record) => record.appendedAtMs - timeMs) : 0;
}

/** Partition by partition, each in a turn of its own. */
async function retain(handle: Handle, name: string, rule: RetentionRule): Promise<number> {
  const step = <Result>(run: () => Result): Promise<Result> => submit(handle, { kind: "admin" }, everything, run);
  const { spec } = await step(() => topicOf(handle.world, name));
  let removed = 0;
  for (let partition = 0; partition < spec.partitions; partition++) {
    const log = topicOf(handle.world, name).logs[partition];
    if (log && log.records.length > 0) removed += await step(() => cut(log, rule, rule.floor?.[partition]));
  }
  return removed;
}

function cut(log: PartitionLog, rule: RetentionRule, floor: number = Number.POSITIVE_INFINITY): number {
  let count = 0;
  let bytes = log.bytes;
  for (const record of log.records) {
    const old = rule.appendedBeforeMs !== undefined && record.appendedAtMs < rule.appendedBeforeMs;
    const over = rule.partitionBytesMax !== undefined && bytes > rule.partitionBytesMax;
    if (record.position >= floor || (!old && !over)) break;
    bytes -= log.sizes[count] as number;
    count++;
  }
  log.records.splice(0, count);
  log.sizes.splice(0, count);
  log.first += count;
  log.bytes = bytes;
  return count;
}
