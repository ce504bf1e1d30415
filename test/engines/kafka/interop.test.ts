import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Consumer } from "@platformatic/kafka";

import type { EventRecord } from "../../../src/event/record.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { clientOptions, createTopic, entry, numbers, open, prefixFor, producer, record, rejection, until, withoutKafka } from "./support.ts"; // prettier-ignore

const plenty = { events: 100, bytes: 1 << 20 };
const topicName = "shop.orders";

/** A message as somebody who knows nothing of us sends it. */
interface Foreign {
  readonly key?: string;
  readonly value?: string | Uint8Array | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

async function opened(t: TestContext) {
  const prefix = prefixFor(t);
  const engine = await open(t, { prefix });
  await engine.topics.declare([{ name: topicName, partitions: 1 }]);
  return { prefix, engine, name: `${prefix}${topicName}` };
}

function messageOf(topic: string, { key, value, headers = {} }: Foreign) {
  return {
    topic,
    partition: 0,
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
    value: (value === undefined ? null : Buffer.from(value)) as Buffer,
    headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
  };
}

async function send(t: TestContext, topic: string, messages: readonly Foreign[], compression?: Compression) {
  const options = compression === undefined ? {} : { compression };
  await producer(t).send({ messages: messages.map((message) => messageOf(topic, message)), acks: -1, ...options });
}

type Compression = "gzip" | "snappy" | "lz4" | "zstd";

/** All messages of a topic, as any client reads them. */
async function raw(topic: string, count: number) {
  const consumer = new Consumer({ ...clientOptions(), groupId: `${topic}-group` });
  const stream = await consumer.consume({ topics: [topic], mode: "earliest", sessionTimeout: 10_000, heartbeatInterval: 500 }); // prettier-ignore
  const found: { key: string | undefined; value: string; headers: Record<string, string> }[] = [];
  for await (const message of stream) {
    const headers: Record<string, string> = {};
    for (const [name, value] of message.headers) headers[name.toString()] = value.toString();
    found.push({ key: (message.key as Buffer | undefined)?.toString(), value: message.value.toString(), headers }); // prettier-ignore
    if (found.length === count) break;
  }
  await stream.close();
  await consumer.close();
  return found;
}

async function readAll(engine: Awaited<ReturnType<typeof open>>): Promise<readonly EventRecord[]> {
  return (await engine.topics.read(topicName, 0, 0, plenty)).records;
}

async function readOne(engine: Awaited<ReturnType<typeof open>>): Promise<EventRecord> {
  const records = await readAll(engine);
  assert.equal(records.length, 1);
  return records[0]!;
}

describe("what tidings writes to Kafka", { skip: withoutKafka }, () => {
  it("is CloudEvents in binary mode, as their binding for Kafka says", async (t) => {
    const { engine, name } = await opened(t);
    const attributes = { subject: 'größe 50% "x"', datacontenttype: "application/vnd.order+json" };
    await engine.topics.publish([
      { topic: topicName, partition: 0, record: record(1, { attributes }) },
      { topic: topicName, partition: 0, record: record(2, { key: null }) },
    ]);
    const [first, second] = await raw(name, 2);
    const { tidings: _mark, ...headers } = first!.headers;
    assert.deepEqual([first!.key, first!.value], ["key-1", '{"n":1}']);
    assert.deepEqual(headers, {
      ce_specversion: "1.0",
      ce_id: "id-1",
      ce_source: "/test",
      ce_type: "test.happened",
      ce_time: "2025-06-15T15:06:40.001Z",
      ce_partitionkey: "key-1",
      ce_subject: 'größe 50% "x"',
      "content-type": "application/vnd.order+json",
    });
    assert.equal(second!.headers["content-type"], "application/json");
    assert.ok(!second!.key);
  });

  it("that was damaged is refused with its place and told by verify, and what stands before it is served", async (t) => {
    const { engine, name } = await opened(t);
    await engine.topics.publish([{ topic: topicName, partition: 0, record: record(0) }]);
    const { headers } = (await raw(name, 1))[0]!;
    const key = "key-0";
    await send(t, name, [
      { key, headers, value: '{"n":0}' },
      { key, headers, value: '{"n":9}' },
      { key, headers: { ...headers, ce_type: "other" }, value: '{"n":0}' },
    ]);
    const { records, next, end } = await engine.topics.read(topicName, 0, 0, plenty);
    assert.deepEqual([records.length, next, end], [2, 2, false]);
    for (const position of [2, 3]) {
      const refused = await rejection(engine.topics.read(topicName, 0, position, plenty));
      assert.equal(refused.code, "TIDINGS_RECORD_CORRUPT");
      assert.match(refused.message, new RegExp(`position ${position} of topic "shop.orders", partition 0`));
    }
    const { problems } = await engine.verify();
    assert.deepEqual(
      problems.map(({ place }) => place),
      ["shop.orders/0/2", "shop.orders/0/3"],
    );
  });
});

describe("what others write to Kafka", { skip: withoutKafka }, () => {
  it("as CloudEvents in binary mode is that event", async (t) => {
    const { engine, name } = await opened(t);
    const headers = {
      ce_specversion: "1.0",
      ce_id: "7",
      ce_source: "/erp",
      ce_type: "erp.changed",
      ce_time: "2026-01-01T00:00:00+01:00",
      ce_subject: "s",
      "content-type": "application/json",
    };
    await send(t, name, [{ key: "k y", headers, value: '{"a": 1}' }]);
    const found = await readOne(engine);
    assert.deepEqual(
      { id: found.id, source: found.source, type: found.type, time: found.timeMs, key: found.key, attributes: found.attributes, data: found.data },
      { id: "7", source: "/erp", type: "erp.changed", time: Date.UTC(2025, 11, 31, 23), key: "k y", attributes: { subject: "s" }, data: '{"a": 1}' },
    ); // prettier-ignore
  });

  it("as CloudEvents in structured mode is that event", async (t) => {
    const { engine, name } = await opened(t);
    const event = { specversion: "1.0", id: "7", source: "/erp", type: "erp.changed", data: { a: 1 } };
    const headers = { "content-type": "application/cloudevents+json; charset=UTF-8" };
    await send(t, name, [{ key: "k", headers, value: JSON.stringify(event) }]);
    const { id, source, type, key, data } = await readOne(engine);
    assert.deepEqual([id, source, type, key, data], ["7", "/erp", "erp.changed", "k", '{"a":1}']);
  });

  for (const [what, message, expected] of [
    ["JSON", { value: '{"a":1}' }, { key: null, attributes: undefined, data: '{"a":1}' }],
    ["JSON with a key", { key: "k", value: "1" }, { key: "k", attributes: undefined, data: "1" }],
    ["text", { value: "hello" }, { key: null, attributes: { datacontenttype: "text/plain" }, data: "hello" }],
    [
      "bytes",
      { value: Uint8Array.of(0xff, 0, 1) },
      { key: null, attributes: { datacontenttype: "application/octet-stream" }, data: Uint8Array.of(0xff, 0, 1) },
    ],
    ["nothing", { key: "k" }, { key: "k", attributes: undefined, data: undefined }],
    ["half a CloudEvent", { headers: { ce_id: "1" }, value: "{}" }, { key: null, attributes: undefined, data: "{}" }],
    [
      "a CloudEvent of another version",
      { headers: { ce_specversion: "0.3", ce_id: "1", ce_source: "/x", ce_type: "y" }, value: "{}" },
      { key: null, attributes: undefined, data: "{}" },
    ],
    [
      "broken structured JSON",
      { headers: { "content-type": "application/cloudevents+json" }, value: '{"specversion"' },
      { key: null, attributes: { datacontenttype: "application/cloudevents+json" }, data: '{"specversion"' },
    ],
  ] as readonly [string, Foreign, object][])
    // prettier-ignore
    it(`as ${what} is an event of type tidings.foreign whose id is its place, and stops nobody`, async (t) => {
      const { engine, name } = await opened(t);
      await send(t, name, [message]);
      const { id, source, type, key, attributes, data } = await readOne(engine);
      assert.match(source, /^kafka:\/\/127\.0\.0\.1:\d+\/shop\.orders$/);
      assert.deepEqual({ id, type, key, attributes, data }, { id: "0-0", type: "tidings.foreign", ...expected });
      assert.deepEqual((await engine.verify()).problems, []);
    });

  for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const)
    it(`compressed with ${compression} is read`, async (t) => {
      const { engine, name } = await opened(t);
      const messages = Array.from({ length: 50 }, (_, n) => ({ value: `{"n":${n}}` }));
      await send(t, name, messages, compression);
      assert.deepEqual(
        await numbers(engine, 0, topicName),
        messages.map((_, n) => n),
      );
    });

  it("is heard of by who watches the topic, though nobody tells it", async (t) => {
    const { engine, name } = await opened(t);
    let heard = 0;
    afterwards(
      t,
      engine.topics.watch(topicName, () => void heard++),
    );
    const other = producer(t);
    await until("it hears", async () => {
      const before = heard;
      await other.send({ messages: [messageOf(name, { value: "{}" })], acks: -1 });
      await new Promise((resolve) => setTimeout(resolve, 50));
      return heard > before;
    });
  });

  it("stands in one order with what tidings writes, and breaks no publish", async (t) => {
    const { engine, name } = await opened(t);
    const count = 300;
    const other = producer(t);
    const [positions] = await Promise.all([
      Promise.all(Array.from({ length: count }, (_, n) => engine.topics.publish([entry(n, { topic: topicName })]))),
      Promise.all(Array.from({ length: 30 }, () => other.send({ messages: Array.from({ length: 10 }, () => messageOf(name, { value: '{"n":-1}' })), acks: -1 }))), // prettier-ignore
    ]);
    const found = await numbers(engine, 0, topicName);
    assert.equal(found.length, 2 * count);
    assert.deepEqual(
      found.filter((n) => n >= 0),
      Array.from({ length: count }, (_, n) => n),
    );
    for (const [n, [appended]] of positions.entries()) assert.equal(found[appended!.position], n);
  });

  it("in a transaction is read when it commits, never when it aborts, and leaves no position without a record", async (t) => {
    const { engine, name, prefix } = await opened(t);
    const other = producer(t, { transactionalId: `${prefix}tx` });
    await other.initIdempotentProducer({});
    const inTransaction = async (n: number, ends: "commit" | "abort") => {
      const transaction = await other.beginTransaction();
      await transaction.send({ messages: [messageOf(name, { value: `{"n":${n}}` })], acks: -1 });
      await engine.topics.publish([entry(n + 1, { topic: topicName })]);
      const open = await engine.topics.read(topicName, 0, 0, plenty);
      assert.ok(open.records.every(({ data }) => data !== `{"n":${n}}`));
      await transaction[ends]();
    };
    await inTransaction(1, "commit");
    await until("it is read", async () => (await readAll(engine)).length === 3);
    await inTransaction(10, "abort");
    await until("it is over", async () => (await readAll(engine)).length === 6);
    const records = await readAll(engine);
    assert.deepEqual(
      (records as readonly { position?: number; type: string; data: unknown }[]).map(({ position, type, data }) => [position, type, data]),
      [
        [0, "tidings.foreign", '{"n":1}'],
        [1, "test.happened", '{"n":2}'],
        [2, "tidings.gap", undefined],
        [3, "tidings.gap", undefined],
        [4, "test.happened", '{"n":11}'],
        [5, "tidings.gap", undefined],
      ],
    ); // prettier-ignore
    assert.deepEqual(await engine.topics.bounds(topicName), [{ first: 0, next: 6 }]);
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("and compaction removes leaves positions without an event, and reading goes on behind them", async (t) => {
    const prefix = prefixFor(t);
    const name = `${prefix}${topicName}`;
    const configs = Object.entries({ "cleanup.policy": "compact", "segment.ms": "50", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "50", "segment.bytes": "1048576" }); // prettier-ignore
    await createTopic(t, name, 1, configs.map(([key, value]) => ({ name: key, value }))); // prettier-ignore
    const engine = await open(t, { prefix });
    const publish = (n: number) => engine.topics.publish([entry(n, { topic: topicName, record: record(n, { key: "same" }) })]); // prettier-ignore
    for (let n = 0; n < 10; n++) await publish(n);
    // The broker rolls the segment and compacts what lies before it, in its own time.
    let count = 10;
    await until("it was compacted", async () => {
      await publish(count++);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return (await readAll(engine)).some(({ type }) => type === "tidings.gap");
    }, 60_000); // prettier-ignore
    const { records, lost } = await engine.topics.read(topicName, 0, 0, { events: 1000, bytes: 1 << 20 });
    assert.equal(lost, 0);
    assert.deepEqual(
      records.map(({ position }) => position),
      records.map((_, at) => at),
    );
  });
});
