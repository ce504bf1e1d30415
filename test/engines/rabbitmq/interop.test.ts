import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Channel, ConfirmChannel, Options } from "amqplib";

import type { EventRecord } from "../../../src/event/record.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { channel, entry, messagesOf, numbers, open, prefixFor, record, rejection, until, withoutRabbitmq } from "./support.ts"; // prettier-ignore

const plenty = { events: 100, bytes: 1 << 20 };

interface Foreign extends Options.Publish {
  readonly data?: string | Uint8Array;
}

async function opened(t: TestContext) {
  const prefix = prefixFor(t);
  const engine = await open(t, { prefix });
  await engine.topics.declare([{ name: "shop.orders", partitions: 1 }]);
  return { prefix, engine, on: await channel(t), queue: `${prefix}:shop.orders:0` };
}

/** Publishes as somebody who knows nothing of us. */
async function foreign(on: Channel, queue: string, { data = "", ...options }: Foreign): Promise<void> {
  on.sendToQueue(queue, Buffer.from(data as string), options);
  await (on as ConfirmChannel).waitForConfirms();
}

async function readOne(engine: Awaited<ReturnType<typeof open>>): Promise<EventRecord> {
  const { records } = await engine.topics.read("shop.orders", 0, 0, plenty);
  assert.equal(records.length, 1);
  return records[0]!;
}

describe("what tidings writes to RabbitMQ", { skip: withoutRabbitmq }, () => {
  it("is CloudEvents in binary mode, as their binding for AMQP says, with headers for application properties", async (t) => {
    const { engine, on, queue } = await opened(t);
    const attributes = { subject: 'größe 50% "x"', datacontenttype: "application/vnd.order+json" };
    await engine.topics.publish([{ topic: "shop.orders", partition: 0, record: record(1, { attributes }) }]);
    const [message] = await messagesOf(on, queue, 1);
    const { headers, contentType } = message!.properties;
    assert.equal(message!.content.toString(), '{"n":1}');
    assert.equal(contentType, "application/vnd.order+json");
    const expected = {
      "cloudEvents:specversion": "1.0",
      "cloudEvents:id": "id-1",
      "cloudEvents:source": "/test",
      "cloudEvents:type": "test.happened",
      "cloudEvents:time": "2025-06-15T15:06:40.001Z",
      "cloudEvents:partitionkey": "key-1",
      "cloudEvents:subject": 'größe 50% "x"',
      "x-stream-offset": 0,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(headers?.[name], value, name);
  });

  it("that was damaged is refused with its place and told by verify, and what stands before it is served", async (t) => {
    const { engine, on, queue } = await opened(t);
    await engine.topics.publish([{ topic: "shop.orders", partition: 0, record: record(0) }]);
    const [message] = await messagesOf(on, queue, 1);
    const { "x-stream-offset": _offset, ...headers } = message!.properties.headers ?? {};
    await foreign(on, queue, { headers, data: '{"n":0}' });
    await foreign(on, queue, { headers, data: '{"n":9}' });
    await foreign(on, queue, { headers: { ...headers, "cloudEvents:type": "other" }, data: '{"n":0}' });
    const { records, next, end } = await engine.topics.read("shop.orders", 0, 0, plenty);
    assert.deepEqual([records.length, next, end], [2, 2, false]);
    for (const position of [2, 3]) {
      const refused = await rejection(engine.topics.read("shop.orders", 0, position, plenty));
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

describe("what others write to RabbitMQ", { skip: withoutRabbitmq }, () => {
  for (const prefix of ["cloudEvents:", "cloudEvents_"])
    it(`as CloudEvents in binary mode with the prefix ${prefix} is that event`, async (t) => {
      const { engine, on, queue } = await opened(t);
      const attributes = {
        specversion: "1.0",
        id: "7",
        source: "/erp",
        type: "erp.changed",
        time: { "!": "timestamp", value: Date.UTC(2026, 0, 1) / 1000 },
        partitionkey: "k y",
        subject: "s",
        count: 5,
        flag: true,
      };
      const headers = Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [`${prefix}${name}`, value]),
      );
      await foreign(on, queue, { headers, contentType: "application/json", data: '{"a": 1}' });
      const found = await readOne(engine);
      assert.deepEqual(
        { id: found.id, source: found.source, type: found.type, time: found.timeMs, key: found.key, attributes: found.attributes, data: found.data },
        { id: "7", source: "/erp", type: "erp.changed", time: Date.UTC(2026, 0, 1), key: "k y", attributes: { subject: "s", count: "5", flag: "true" }, data: '{"a": 1}' },
      ); // prettier-ignore
    });

  it("as CloudEvents in structured mode is that event", async (t) => {
    const { engine, on, queue } = await opened(t);
    const event = { specversion: "1.0", id: "7", source: "/erp", type: "erp.changed", data: { a: 1 } };
    const contentType = "application/cloudevents+json; charset=UTF-8";
    await foreign(on, queue, { contentType, timestamp: 1_767_225_600, data: JSON.stringify(event) });
    const { id, source, type, key, data, timeMs } = await readOne(engine);
    assert.deepEqual([id, source, type, key, data], ["7", "/erp", "erp.changed", null, '{"a":1}']);
    assert.equal(timeMs, Date.UTC(2026, 0, 1));
  });

  for (const [what, message, expected] of [
    ["JSON", { data: '{"a":1}' }, { attributes: undefined, data: '{"a":1}' }],
    ["text", { data: "hello" }, { attributes: { datacontenttype: "text/plain" }, data: "hello" }],
    [
      "bytes",
      { data: Uint8Array.of(0xff, 0, 1) },
      { attributes: { datacontenttype: "application/octet-stream" }, data: Uint8Array.of(0xff, 0, 1) },
    ],
    ["half a CloudEvent", { headers: { "cloudEvents:id": "1" }, data: "{}" }, { attributes: undefined, data: "{}" }],
    [
      "a CloudEvent of another version",
      {
        headers: {
          "cloudEvents:specversion": "0.3",
          "cloudEvents:id": "1",
          "cloudEvents:source": "/x",
          "cloudEvents:type": "y",
        },
        data: "{}",
      },
      { attributes: undefined, data: "{}" },
    ],
    [
      "broken structured JSON",
      { contentType: "application/cloudevents+json", data: '{"specversion"' },
      { attributes: { datacontenttype: "application/cloudevents+json" }, data: '{"specversion"' },
    ],
  ] as readonly [string, Foreign, object][])
    // prettier-ignore
    it(`as ${what} is an event of type tidings.foreign whose id is its place, and stops nobody`, async (t) => {
      const { engine, on, queue } = await opened(t);
      await foreign(on, queue, message);
      const { id, source, type, key, attributes, data } = await readOne(engine);
      assert.match(source, /^amqp:\/\/127\.0\.0\.1:\d+\/shop\.orders$/);
      assert.deepEqual({ id, type, key, attributes, data }, { id: "0-0", type: "tidings.foreign", key: null, ...expected });
      assert.deepEqual((await engine.verify()).problems, []);
    });

  it("is heard of by who watches the topic", async (t) => {
    const { engine, on, queue } = await opened(t);
    let heard = 0;
    afterwards(
      t,
      engine.topics.watch("shop.orders", () => void heard++),
    );
    await until("it hears", async () => {
      await foreign(on, queue, { data: "{}" });
      await new Promise((resolve) => setTimeout(resolve, 20));
      return heard > 1;
    });
  });

  it("stands in one order with what tidings writes, and breaks no publish", async (t) => {
    const { engine, on, queue } = await opened(t);
    const count = 300;
    const [positions] = await Promise.all([
      Promise.all(Array.from({ length: count }, (_, n) => engine.topics.publish([entry(n, { topic: "shop.orders" })]))),
      Promise.all(Array.from({ length: count }, () => foreign(on, queue, { data: '{"n":-1}' }))),
    ]);
    const found = await numbers(engine, 0, "shop.orders");
    assert.equal(found.length, 2 * count);
    assert.deepEqual(
      found.filter((n) => n >= 0),
      Array.from({ length: count }, (_, n) => n),
    );
    for (const [n, [appended]] of positions.entries()) assert.equal(found[appended!.position], n);
  });
});

describe("a stream of several segments", { skip: withoutRabbitmq }, () => {
  const large = (n: number) => entry(n, { record: record(n, { data: JSON.stringify({ n, x: "x".repeat(1000) }) }) });

  it("has no gap in its positions: where the server keeps a note of its own stands an event of type tidings.gap", async (t) => {
    const engine = await open(t, { prefix: prefixFor(t), segmentBytes: 50_000 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const positions: number[] = [];
    for (let n = 0; n < 400; n++) positions.push((await engine.topics.publish([large(n)]))[0]!.position);
    const [bounds] = await engine.topics.bounds("orders");
    const types: string[] = [];
    for (let position = 0; position < bounds!.next;) {
      const { records, next, lost } = await engine.topics.read("orders", 0, position, { events: 7, bytes: 1 << 20 });
      assert.equal(lost, 0);
      for (const [at, found] of records.entries()) {
        assert.equal(found.position, position + at);
        types.push(found.type);
        if (found.type !== "tidings.gap") assert.equal(positions[(JSON.parse(found.data as string) as { n: number }).n], found.position);
      }
      position = next;
    } // prettier-ignore
    assert.equal(types.filter((type) => type === "test.happened").length, 400);
    assert.ok(types.filter((type) => type === "tidings.gap").length > 2, "segments were changed");
    assert.equal(types.length, bounds!.next);
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("that the server has cut tells readers how much they lost, and its positions go on", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix, segmentBytes: 50_000, streamBytesMax: 100_000 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    let last = 0;
    await until("the server cuts", async () => {
      for (let n = 0; n < 100; n++) last = (await engine.topics.publish([large(n)]))[0]!.position;
      return (await engine.topics.bounds("orders"))[0]!.first > 0;
    });
    const other = await open(t, { prefix });
    const [{ first, next }] = (await other.topics.bounds("orders")) as [{ first: number; next: number }];
    assert.equal(next, last + 1);
    const page = await other.topics.read("orders", 0, 0, { events: 10, bytes: 1 << 20 });
    assert.equal(page.lost, first);
    assert.equal(page.records[0]!.position, first);
  });
});
