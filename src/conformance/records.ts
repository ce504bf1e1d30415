import { type EventRecord, recordBytes, type StoredRecord } from "../event/record.ts";
import type { Engine } from "../ports/engine.ts";
import type { Appended, TopicEntry } from "../ports/topics.ts";
import { equal, given, holds, same } from "./expect.ts";
import type { Env } from "./suite.ts";

const pageMax = { events: 500, bytes: 4 * 1024 * 1024 };

/** An event with a fresh id and otherwise plain values, except for the given fields. */
export function recordOf(env: Env, fields: Partial<EventRecord> = {}): EventRecord {
  return {
    id: env.platform.ids.next(),
    source: "/conformance",
    type: "conformance.happened",
    timeMs: env.platform.clock.now(),
    key: null,
    attributes: undefined,
    data: "{}",
    ...fields,
  };
}

/** An entry for partition 0 of the topic. */
export function entryOf(env: Env, topic: string, fields: Partial<EventRecord> = {}, partition = 0): TopicEntry {
  return { topic, partition, record: recordOf(env, fields) };
}

/** The same entry, with its id to be checked for duplicates. */
export const checked = (entry: TopicEntry): TopicEntry => ({ ...entry, checkId: true });

/** Entries whose data are the texts. */
export const entriesOf = (env: Env, topic: string, texts: readonly string[], partition = 0): TopicEntry[] =>
  texts.map((data) => entryOf(env, topic, { data }, partition));

/** Publishes one event with this text. */
export async function publishOne(
  env: Env,
  topic: string,
  data: string,
  engine: Engine = env.engine,
): Promise<Appended> {
  const [appended] = await engine.topics.publish([entryOf(env, topic, { data })]);
  return given(appended, "one result for one entry");
}

/** Publishes each text by itself, one after the other. */
export async function publishEach(env: Env, topic: string, texts: readonly string[]): Promise<number[]> {
  const positions: number[] = [];
  for (const text of texts) positions.push((await publishOne(env, topic, text)).position);
  return positions;
}

/** Everything of a partition from a position on, page by page, with the order of the pages checked. */
export async function readAll(engine: Engine, topic: string, partition = 0, from = 0): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  let position = from;
  for (;;) {
    const page = await engine.topics.read(topic, partition, position, pageMax);
    for (const record of page.records) {
      holds(record.position >= position, `position ${record.position} came when ${position} was asked for`);
      records.push(record);
      position = record.position + 1;
    }
    if (page.records.length === 0) return records;
    holds(page.next >= position, "the page goes on before its last record");
    position = page.next;
  }
}

/** The texts of a partition. */
export async function textsOf(engine: Engine, topic: string, partition = 0, from = 0): Promise<unknown[]> {
  return (await readAll(engine, topic, partition, from)).map((record) => record.data);
}

/** Sees that the partition holds these texts and nothing else. */
export async function expectTexts(engine: Engine, topic: string, texts: readonly string[]): Promise<void> {
  same(await textsOf(engine, topic), [...texts]);
}

/** Sees that nothing was ever written to the topic. */
export async function expectNothing(engine: Engine, topic: string): Promise<void> {
  for (const { first, next } of await engine.topics.bounds(topic)) same([first, next], [0, 0]);
}

/** Publishes the record and sees that every field comes back as it went in. */
export async function roundTrip(env: Env, fields: Partial<EventRecord>): Promise<StoredRecord> {
  const topic = await env.topic();
  const record = recordOf(env, fields);
  await env.engine.topics.publish([{ topic, partition: 0, record }]);
  const [stored, ...others] = await readAll(env.engine, topic);
  equal(others.length, 0, "one event went in, several came back");
  const back = given(stored, "the event that was published");
  same(fieldsOf(back), fieldsOf(record));
  return back;
}

/** The fields of a record without its place; bytes as a plain Uint8Array, whatever kind of it the engine gives. */
export function fieldsOf(record: EventRecord): EventRecord {
  const { id, source, type, timeMs, key, attributes, data } = record;
  return {
    id,
    source,
    type,
    timeMs,
    key,
    attributes: attributes && { ...attributes },
    data: data instanceof Uint8Array ? Uint8Array.from(data) : data,
  };
}

/** A record whose size by `recordBytes` is exactly this. */
export function recordOfBytes(env: Env, bytes: number): EventRecord {
  const empty = recordOf(env, { data: "" });
  const record = { ...empty, data: "x".repeat(bytes - recordBytes(empty)) };
  equal(recordBytes(record), bytes);
  return record;
}

/** `count` texts with this prefix: a0, a1, … */
export const numbered = (count: number, prefix = ""): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);
