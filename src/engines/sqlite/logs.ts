import type { TopicSpec } from "../../ports/topics.ts";
import type { Connection } from "./binding.ts";
import type { LogPlace } from "../sql/chunk.ts";
import { missingOf, noPartition, noTopic } from "../sql/topics.ts";

/** A topic and the ids of its logs, by partition. Never changes, so it may be kept in memory. */
export interface KnownTopic extends TopicSpec {
  readonly logs: readonly number[];
}

/** The topics of a file. */
export interface Logs {
  /** A write transaction begins: what the one before has made is committed, or was rolled back. */
  begin(): void;
  /** The topic; throws TIDINGS_NOT_FOUND. */
  topic(name: string): KnownTopic;
  /** The log of a partition; throws TIDINGS_NOT_FOUND or TIDINGS_INVALID_OPTION. */
  log(topic: string, partition: number): number;
  find(name: string): KnownTopic | undefined;
  list(): TopicSpec[];
  /** Where a log belongs; undefined when there is no such log. */
  placeOf(log: number): LogPlace | undefined;
  /** Inside a write transaction: makes what does not exist. Throws TIDINGS_PARTITIONS_CHANGED before anything is written. */
  create(specs: readonly TopicSpec[], nowMs: number): boolean;
}

/** Reads topics on first use and keeps them. */
export function logsOf(connection: Connection): Logs {
  const known = new Map<string, KnownTopic>();
  const places = new Map<number, LogPlace>();
  const findTopic = connection.prepare("SELECT partitions FROM tidings_topic WHERE name = ?");
  const logIds = connection.prepare("SELECT id FROM tidings_log WHERE topic = ? ORDER BY partition");
  const findPlace = connection.prepare("SELECT topic, partition FROM tidings_log WHERE id = ?");
  const listTopics = connection.prepare("SELECT name, partitions FROM tidings_topic ORDER BY name");
  const insertTopic = connection.prepare("INSERT INTO tidings_topic (name, partitions, created_ms) VALUES (?, ?, ?)");
  const insertLog = connection.prepare("INSERT INTO tidings_log (topic, partition) VALUES (?, ?)");

  /** Whether the transaction at hand has made topics, which may yet be rolled back. */
  let making = false;

  function find(name: string): KnownTopic | undefined {
    const kept = known.get(name);
    if (kept) return kept;
    const row = findTopic.get(name) as { partitions: number } | undefined;
    if (!row) return undefined;
    const logs = (logIds.all(name) as { id: number }[]).map(({ id }) => id);
    const topic = Object.freeze({ name, partitions: row.partitions, logs });
    if (!making || !connection.inTransaction()) known.set(name, topic);
    return topic;
  }

  function topic(name: string): KnownTopic {
    const found = find(name);
    if (found) return found;
    throw noTopic(name);
  }

  return {
    begin() {
      making = false;
    },
    find,
    topic,
    log(name, partition) {
      const found = topic(name);
      const log = found.logs[partition];
      if (log === undefined) throw noPartition(found, partition);
      return log;
    },
    list: () => (listTopics.all() as TopicSpec[]).map(({ name, partitions }) => ({ name, partitions })),
    placeOf(log) {
      const kept = places.get(log) ?? (findPlace.get(log) as LogPlace | undefined);
      if (kept && (!making || !connection.inTransaction())) places.set(log, kept);
      return kept;
    },
    create(specs, nowMs) {
      const missing = missingOf(specs, find);
      making ||= missing.length > 0;
      for (const { name, partitions } of missing) {
        insertTopic.run(name, partitions, nowMs);
        for (let partition = 0; partition < partitions; partition++) insertLog.run(name, partition);
      }
      return missing.length > 0;
    },
  };
}
