import { TidingsError } from "../../errors/tidings-error.ts";
import { recordBytes, type StoredRecord } from "../../event/record.ts";
import type { Appended, TopicEntry } from "../../ports/topics.ts";
import { memoryCapabilities } from "./capabilities.ts";
import { type Handle, touch } from "./handle.ts";
import { checkPartition, type KnownId, type PartitionLog, topicOf, type World, worldNow } from "./world.ts";

type Draft = { -readonly [Name in keyof StoredRecord]: StoredRecord[Name] };

/** An entry as it will be stored: our own copy, without its place. */
export interface Prepared {
  readonly record: Draft;
  readonly bytes: number;
  /** What duplicates are told by; undefined when nobody asked. */
  readonly idKey: string | undefined;
}

/** What became of an append: all of it, or nothing because of the entry at `conflict`. */
export type AppendResult = { readonly appended: readonly Appended[] } | { readonly conflict: number };

/** Copies an entry at the call, so that what the caller does to it afterwards changes nothing. Throws TIDINGS_EVENT_TOO_LARGE. */
export function prepare(entry: TopicEntry): Prepared {
  const { record, topic, partition } = entry;
  const bytes = recordBytes(record);
  if (bytes > memoryCapabilities.eventBytesMax) {
    throw new TidingsError(
      "TIDINGS_EVENT_TOO_LARGE",
      `The event "${record.id}" of type "${record.type}" has ${bytes} bytes; at most ${memoryCapabilities.eventBytesMax} are taken.`,
      { details: { topic, bytes, bytesMax: memoryCapabilities.eventBytesMax } },
    );
  }
  return {
    record: {
      id: record.id,
      source: record.source,
      type: record.type,
      timeMs: record.timeMs,
      key: record.key,
      attributes: record.attributes && Object.freeze({ ...record.attributes }),
      data: copyData(record.data),
      topic,
      partition,
      position: -1,
      appendedAtMs: 0,
    },
    bytes,
    idKey: entry.checkId ? idKeyOf(record) : undefined,
  };
}

/** A record that whoever reads it may keep: bytes cannot be frozen, so they are copied. */
export function copyOut(record: StoredRecord): StoredRecord {
  return typeof record.data === "object" ? Object.freeze({ ...record, data: copyData(record.data) }) : record;
}

/** The partitions that the entries touch. */
export function slotsOf(entries: readonly Prepared[]): readonly string[] {
  return entries.map(({ record }) => `${record.topic}/${record.partition}`);
}

/** Appends all or nothing. Throws when a topic or partition does not exist. `uncertain`: the caller may never learn that it was done. */
export function append(handle: Handle, entries: readonly Prepared[], uncertain: boolean): AppendResult {
  const { world } = handle;
  const duplicates = findDuplicates(handle, entries);
  if (typeof duplicates === "number") return { conflict: duplicates };
  const nowMs = worldNow(world);
  const appended = entries.map((entry, index): Appended => {
    const known = duplicates?.get(index);
    if (known) return { position: known.position, duplicate: true };
    const { record } = entry;
    place(logOf(world, record.topic, record.partition), entry, nowMs);
    touch(world, topicWatch(record.topic));
    // After an unknown outcome the caller repeats with `checkId`: then this event must be found, too.
    const idKey = entry.idKey ?? (uncertain ? idKeyOf(record) : undefined);
    if (idKey !== undefined) remember(world, idKey, { record, publishedAtMs: nowMs });
    return { position: record.position, duplicate: false };
  });
  return { appended };
}

/** The name that watchers of a topic are kept by. */
export function topicWatch(topic: string): string {
  return `topic ${topic}`;
}

/** By index, the event that stands for a duplicate already; or the index of the first entry whose id means another payload. */
function findDuplicates(handle: Handle, entries: readonly Prepared[]): Map<number, StoredRecord> | number | undefined {
  const { world } = handle;
  for (const { record } of entries) checkPartition(topicOf(world, record.topic), record.partition);
  let duplicates: Map<number, StoredRecord> | undefined;
  let batch: Map<string, StoredRecord> | undefined;
  for (const [index, { record, idKey }] of entries.entries()) {
    if (idKey === undefined) continue;
    forgetOld(handle);
    const known = world.knownIds.get(idKey)?.record ?? batch?.get(idKey);
    if (!known) (batch ??= new Map()).set(idKey, record);
    else if (!sameData(known.data, record.data)) return index;
    else (duplicates ??= new Map()).set(index, known);
  }
  return duplicates;
}

function place(log: PartitionLog, { record, bytes }: Prepared, nowMs: number): void {
  // Never earlier than the event before it, so that a search by time may halve.
  log.lastAppendedAtMs = Math.max(log.lastAppendedAtMs, nowMs);
  record.appendedAtMs = log.lastAppendedAtMs;
  record.position = log.first + log.records.length;
  log.records.push(Object.freeze(record));
  log.sizes.push(bytes);
  log.bytes += bytes;
}

function logOf(world: World, topic: string, partition: number): PartitionLog {
  const { logs } = topicOf(world, topic);
  return (logs[partition] ??= { first: 0, bytes: 0, lastAppendedAtMs: 0, records: [], sizes: [] });
}

function remember(world: World, idKey: string, known: KnownId): void {
  world.knownIds.delete(idKey);
  world.knownIds.set(idKey, known);
}

/** Drops the ids that are older than the window: they lie in the order of publishing. */
function forgetOld({ world, deduplicationWindowMs }: Handle): void {
  const before = worldNow(world) - deduplicationWindowMs;
  for (const [idKey, known] of world.knownIds) {
    if (known.publishedAtMs >= before) return;
    world.knownIds.delete(idKey);
  }
}

/** Unambiguous, whatever characters a source has. */
function idKeyOf({ source, id }: { readonly source: string; readonly id: string }): string {
  return `${source.length} ${source}${id}`;
}

function copyData(data: StoredRecord["data"]): StoredRecord["data"] {
  return typeof data === "object" ? new Uint8Array(data) : data;
}

function sameData(a: StoredRecord["data"], b: StoredRecord["data"]): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}
