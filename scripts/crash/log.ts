import type { App } from "tidings";

import { Repeats } from "../../src/testing/check/repeats.ts";

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
  /** A relay has sent it before. */
  readonly isRepeat: boolean;
}

/** Reads a whole topic, each partition in its order. */
export async function readTopic(app: App, topic: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  const repeats = new Repeats();
  for (const [partition, { first, next }] of (await app.engine.topics.bounds(topic)).entries()) {
    for (let position = first; position < next;) {
      const page = await app.engine.topics.read(topic, partition, position, { events: 1000, bytes: 4 * 1024 * 1024 });
      for (const record of page.records) {
        const { id, source, type, key, attributes, data, position: at } = record;
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
          isRepeat: repeats.isRepeat(record),
        });
      }
      position = page.next;
    }
  }
  return entries;
}
