import type { App } from "tidings";

/** An event as the checks see it. */
export interface LogEntry {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly key: string | null;
  /** Id of the event whose handler published this one. */
  readonly causationid: string | undefined;
  readonly data: unknown;
  /** The data as they lie there. */
  readonly text: string;
}

/** Reads a whole topic, each partition in its order. */
export async function readTopic(app: App, topic: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (const [partition, { first, next }] of (await app.engine.topics.bounds(topic)).entries()) {
    for (let position = first; position < next;) {
      const page = await app.engine.topics.read(topic, partition, position, { events: 1000, bytes: 4 * 1024 * 1024 });
      for (const { id, source, type, key, attributes, data, position: at } of page.records) {
        entries.push({
          topic,
          partition,
          position: at,
          id,
          source,
          type,
          key,
          causationid: attributes?.["causationid"],
          data: JSON.parse(String(data)) as unknown,
          text: String(data),
        });
      }
      position = page.next;
    }
  }
  return entries;
}
