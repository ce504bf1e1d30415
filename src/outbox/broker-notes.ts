import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { TopicEntry } from "../ports/topics.ts";
import { storesTopic } from "./row.ts";

/** All notes of this type that stores have left on a broker, the oldest first. */
export async function readNotes<Note>(broker: Engine, type: string): Promise<readonly Note[]> {
  const notes: Note[] = [];
  if (!(await broker.topics.find(storesTopic))) return notes;
  const [bounds] = await broker.topics.bounds(storesTopic);
  const { first, next } = bounds ?? { first: 0, next: 0 };
  for (let position = first; position < next;) {
    const page = await broker.topics.read(storesTopic, 0, position, { events: 1000, bytes: 1024 * 1024 });
    for (const { data, type: found } of page.records)
      if (found === type && typeof data === "string") notes.push(JSON.parse(data) as Note);
    if (page.next <= position) break;
    position = page.next;
  }
  return notes;
}

/** Leaves notes on a broker, each with its key. */
export async function writeNotes(
  broker: Engine,
  platform: Platform,
  type: string,
  notes: readonly (readonly [key: string | null, note: unknown])[],
): Promise<void> {
  await broker.topics.declare([{ name: storesTopic, partitions: 1 }]);
  const entries = notes.map(([key, note]): TopicEntry => {
    const record = {
      id: platform.ids.next(),
      source: "/tidings/stores",
      type,
      timeMs: platform.clock.now(),
      key,
      attributes: undefined,
      data: JSON.stringify(note),
    };
    return { topic: storesTopic, partition: 0, record };
  });
  await broker.topics.publish(entries, { positions: false });
}
