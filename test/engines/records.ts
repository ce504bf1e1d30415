import type { EventRecord } from "../../src/event/record.ts";
import type { TopicEntry } from "../../src/ports/topics.ts";

/** An event whose payload is a JSON object with its number. */
export function record(n: number, more: Partial<EventRecord> = {}): EventRecord {
  return {
    id: `id-${n}`,
    source: "/test",
    type: "test.happened",
    timeMs: 1_750_000_000_000 + n,
    key: `key-${n % 10}`,
    attributes: undefined,
    data: JSON.stringify({ n }),
    ...more,
  };
}

export function entry(n: number, more: Partial<TopicEntry> = {}): TopicEntry {
  return { topic: "orders", partition: 0, record: record(n), ...more };
}
