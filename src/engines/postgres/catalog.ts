import type { TopicSpec } from "../../ports/topics.ts";
import type { LogPlace } from "../sql/chunk.ts";
import { noPartition, noTopic } from "../sql/topics.ts";
import type { Connections } from "./connections.ts";
import type { Settings } from "./options.ts";

/** A topic and the ids of its logs, by partition. Never changes, so it is kept. */
export interface KnownTopic extends TopicSpec {
  readonly id: number;
  readonly logs: readonly number[];
}

/** The topics of a store, as far as they were asked for. */
export interface Catalog {
  /** Reads the topics of these names that are not known yet. */
  load(names: Iterable<string>): Promise<void>;
  /** A topic that was loaded; undefined when there is none. */
  get(name: string): KnownTopic | undefined;
  /** Loads and gets. Throws TIDINGS_NOT_FOUND. */
  topic(name: string): Promise<KnownTopic>;
  /** Where a log belongs, if its topic was loaded. */
  placeOf(log: number): LogPlace | undefined;
  list(): Promise<readonly TopicSpec[]>;
}

interface TopicRow {
  readonly id: number;
  readonly name: string;
  readonly partitions: number;
  readonly logs: number[];
}

/** Keeps what it has read. */
export function catalogOf({ read }: Connections, { schema }: Settings): Catalog {
  const known = new Map<string, KnownTopic>();
  const places = new Map<number, LogPlace>();

  async function load(names: Iterable<string>): Promise<void> {
    const missing = [...new Set(names)].filter((name) => !known.has(name));
    if (missing.length === 0) return;
    const rows = await read<TopicRow>({
      name: "tidings_topics",
      text: `SELECT t.id, t.name, t.partitions, array_agg(l.id ORDER BY l.partition) AS logs FROM "${schema}".topic t
        JOIN "${schema}".log l ON l.topic = t.id WHERE t.name = ANY ($1::text[]) GROUP BY t.id`,
      values: [missing],
    });
    for (const topic of rows) {
      known.set(topic.name, Object.freeze({ ...topic }));
      for (const [partition, log] of topic.logs.entries()) places.set(log, { topic: topic.name, partition });
    }
  }

  return {
    load,
    get: (name) => known.get(name),
    async topic(name) {
      await load([name]);
      const found = known.get(name);
      if (found) return found;
      throw noTopic(name);
    },
    placeOf: (log) => places.get(log),
    list: () =>
      read<TopicSpec>({ name: "tidings_list_topics", text: `SELECT name, partitions FROM "${schema}".topic ORDER BY name`, values: [] }), // prettier-ignore
  };
}

/** Throws TIDINGS_NOT_FOUND when there is no such topic, and TIDINGS_INVALID_OPTION when it has no such partition. */
export function logOf(topic: KnownTopic | undefined, name: string, partition: number): number {
  if (!topic) throw noTopic(name);
  const log = topic.logs[partition];
  if (log === undefined) throw noPartition(topic, partition);
  return log;
}
