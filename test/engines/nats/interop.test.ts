import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { headers as makeHeaders, type NatsConnection } from "@nats-io/transport-node";

import type { EventRecord } from "../../../src/event/record.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { client, entry, numbers, open, prefixFor, record, rejection, until, withoutNats } from "./support.ts";

const plenty = { events: 100, bytes: 1 << 20 };

interface Foreign {
  readonly headers?: Readonly<Record<string, string>>;
  readonly data?: string | Uint8Array;
}

async function opened(t: TestContext) {
  const prefix = prefixFor(t);
  const engine = await open(t, { prefix });
  await engine.topics.declare([{ name: "shop.orders", partitions: 1 }]);
  const nc = await client(t);
  const stream = `${prefix}~shop=orders~0`;
  const subject = `${prefix}.t.shop=orders.0`;
  return { prefix, engine, nc, stream, subject };
}

/** Publishes as somebody who knows nothing of us. */
async function foreign(nc: NatsConnection, subject: string, { headers = {}, data = "" }: Foreign): Promise<void> {
  const h = makeHeaders();
  for (const [name, value] of Object.entries(headers)) h.append(name, value);
  const reply = await nc.request(
    subject,
    data,
    Object.keys(headers).length > 0 ? { headers: h, timeout: 5000 } : { timeout: 5000 },
  );
  assert.match(reply.string(), /"seq"/);
}

/** The headers and the payload of a message, as any client reads them. */
async function raw(nc: NatsConnection, stream: string, seq: number) {
  const answer = await nc
    .request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify({ seq }), { timeout: 1000 })
    .catch(() => undefined);
  if (answer) return { headers: answer.headers, text: answer.string() };
  const got = (await nc.request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ seq }))).json<{
    message: { hdrs: string; data?: string };
  }>();
  const lines = Buffer.from(got.message.hdrs, "base64").toString().split("\r\n");
  const h = makeHeaders();
  for (const line of lines.slice(1))
    if (line.includes(": ")) h.append(line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2));
  return { headers: h, text: Buffer.from(got.message.data ?? "", "base64").toString() };
}

async function readOne(engine: Awaited<ReturnType<typeof open>>): Promise<EventRecord> {
  const { records } = await engine.topics.read("shop.orders", 0, 0, plenty);
  assert.equal(records.length, 1);
  return records[0]!;
}

describe("what tidings writes to NATS", { skip: withoutNats }, () => {
  it("is CloudEvents in binary mode, as their binding for NATS says", async (t) => {
    const { engine, nc, stream } = await opened(t);
    const attributes = { subject: 'größe 50% "x"', datacontenttype: "application/vnd.order+json" };
    await engine.topics.publish([{ topic: "shop.orders", partition: 0, record: record(1, { attributes }) }]);
    const { headers, text } = await raw(nc, stream, 1);
    assert.equal(text, '{"n":1}');
    const expected = {
      "ce-specversion": "1.0",
      "ce-id": "id-1",
      "ce-source": "/test",
      "ce-type": "test.happened",
      "ce-time": "2025-06-15T15:06:40.001Z",
      "ce-partitionkey": "key-1",
      "ce-subject": "gr%C3%B6%C3%9Fe%2050%25%20%22x%22",
      "ce-datacontenttype": "application/vnd.order+json",
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(headers?.get(name), value, name);
  });

  it("names JSON where the event does not, and comes back as it was, also as it was written before that", async (t) => {
    const { engine, nc, stream, subject } = await opened(t);
    const named = record(2, { attributes: { datacontenttype: "application/json" } });
    const written = [record(1), named, record(3, { data: undefined }), record(4, { data: Uint8Array.of(0xff) })];
    await engine.topics.publish(written.map((each) => ({ topic: "shop.orders", partition: 0, record: each })));
    const said = await Promise.all([1, 2, 3, 4].map(async (seq) => (await raw(nc, stream, seq)).headers));
    assert.deepEqual(
      said.map((headers) => headers?.get("ce-datacontenttype")),
      ["application/json", "application/json", "", "application/json"],
    );
    const before = Object.fromEntries(Array.from(said[0] ?? [], ([name, values]) => [name, values[0]!]));
    for (const name of Object.keys(before)) if (/^Nats-|^ce-datacontenttype$/.test(name)) delete before[name];
    assert.match(before["tidings"]!, /^si[0-9a-f]{8}$/);
    await foreign(nc, subject, {
      headers: { ...before, tidings: before["tidings"]!.replace("i", "") },
      data: '{"n":1}',
    });
    const { records } = await engine.topics.read("shop.orders", 0, 0, plenty);
    assert.deepEqual(
      records.map(({ id, source, type, timeMs, key, attributes, data }) => ({ id, source, type, timeMs, key, attributes, data })),
      [...written, record(1)],
    ); // prettier-ignore
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("that was damaged is refused with its place and told by verify, and what stands before it is served", async (t) => {
    const { engine, nc, stream, subject } = await opened(t);
    await engine.topics.publish([{ topic: "shop.orders", partition: 0, record: record(0) }]);
    const { headers } = await raw(nc, stream, 1);
    const lines = Object.fromEntries(Array.from(headers ?? [], ([name, values]) => [name, values[0]!]));
    for (const name of Object.keys(lines)) if (name.startsWith("Nats-")) delete lines[name];
    await foreign(nc, subject, { headers: lines, data: '{"n":0}' });
    await foreign(nc, subject, { headers: lines, data: '{"n":9}' });
    await foreign(nc, subject, { headers: { ...lines, "ce-type": "other" }, data: '{"n":0}' });
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

describe("what others write to NATS", { skip: withoutNats }, () => {
  it("as CloudEvents in binary mode is that event", async (t) => {
    const { engine, nc, subject } = await opened(t);
    await foreign(nc, subject, {
      headers: {
        "ce-specversion": "1.0",
        "ce-id": "7",
        "ce-source": "/erp",
        "ce-type": "erp.changed",
        "ce-time": "2026-01-01T00:00:00+01:00",
        "ce-partitionkey": "k%20y",
        "ce-subject": "s",
        "ce-datacontenttype": "application/json",
      },
      data: '{"a": 1}',
    });
    const found = await readOne(engine);
    assert.deepEqual(
      { id: found.id, source: found.source, type: found.type, time: found.timeMs, key: found.key, attributes: found.attributes, data: found.data },
      { id: "7", source: "/erp", type: "erp.changed", time: Date.UTC(2025, 11, 31, 23), key: "k y", attributes: { subject: "s" }, data: '{"a": 1}' },
    ); // prettier-ignore
  });

  for (const [mode, headers] of [
    ["with its content type", { "Content-Type": "application/cloudevents+json; charset=UTF-8" }],
    ["without headers, as it was before NATS had them", {}],
  ] as const)
    it(`as CloudEvents in structured mode, ${mode}, is that event`, async (t) => {
      const { engine, nc, subject } = await opened(t);
      const event = {
        specversion: "1.0",
        id: "7",
        source: "/erp",
        type: "erp.changed",
        time: "2026-01-01T00:00:00Z",
        data: { a: 1 },
      };
      await foreign(nc, subject, { headers, data: JSON.stringify(event) });
      const { id, source, type, key, data } = await readOne(engine);
      assert.deepEqual([id, source, type, key, data], ["7", "/erp", "erp.changed", null, '{"a":1}']);
    });

  for (const [what, message, expected] of [
    ["JSON", { data: '{"a":1}' }, { attributes: undefined, data: '{"a":1}' }],
    ["text", { data: "hello" }, { attributes: { datacontenttype: "text/plain" }, data: "hello" }],
    [
      "bytes",
      { data: Uint8Array.of(0xff, 0, 1) },
      { attributes: { datacontenttype: "application/octet-stream" }, data: Uint8Array.of(0xff, 0, 1) },
    ],
    ["half a CloudEvent", { headers: { "ce-id": "1" }, data: "{}" }, { attributes: undefined, data: "{}" }],
    [
      "a CloudEvent of another version",
      { headers: { "ce-specversion": "0.3", "ce-id": "1", "ce-source": "/x", "ce-type": "y" }, data: "{}" },
      { attributes: undefined, data: "{}" },
    ],
    [
      "broken structured JSON",
      { headers: { "content-type": "application/cloudevents+json" }, data: '{"specversion"' },
      { attributes: { datacontenttype: "application/cloudevents+json" }, data: '{"specversion"' },
    ],
  ] as readonly [string, Foreign, object][])
    // prettier-ignore
    it(`as ${what} is an event of type tidings.foreign whose id is its place, and stops nobody`, async (t) => {
      const { engine, nc, subject } = await opened(t);
      await foreign(nc, subject, message);
      const { id, source, type, key, attributes, data } = await readOne(engine);
      assert.match(source, /^nats:\/\/127\.0\.0\.1:\d+\/shop\.orders$/);
      assert.deepEqual({ id, type, key, attributes, data }, { id: "0-0", type: "tidings.foreign", key: null, ...expected });
      assert.deepEqual((await engine.verify()).problems, []);
    });

  it("is heard of by who watches the topic, though nobody tells it", async (t) => {
    const { prefix, nc, subject } = await opened(t);
    const engine = await open(t, { prefix, pollMs: 50 });
    let heard = 0;
    afterwards(
      t,
      engine.topics.watch("shop.orders", () => void heard++),
    );
    // What is there when it begins to watch is no news: it may look only after the first of these.
    await until("it hears", async () => {
      await foreign(nc, subject, { data: "{}" });
      await new Promise((resolve) => setTimeout(resolve, 20));
      return heard > 0;
    });
  });

  it("stands in one order with what tidings writes, and breaks no publish", async (t) => {
    const { engine, nc, subject } = await opened(t);
    const count = 300;
    const [positions] = await Promise.all([
      Promise.all(Array.from({ length: count }, (_, n) => engine.topics.publish([entry(n, { topic: "shop.orders" })]))),
      Promise.all(Array.from({ length: count }, () => foreign(nc, subject, { data: '{"n":-1}' }))),
    ]);
    const found = await numbers(engine, 0, "shop.orders");
    assert.equal(found.length, 2 * count);
    assert.deepEqual(
      found.filter((n) => n >= 0),
      Array.from({ length: count }, (_, n) => n),
    );
    for (const [n, [appended]] of positions.entries()) assert.equal(found[appended!.position], n);
  });

  it("is lost where an operator removed it, and reading goes on behind it", async (t) => {
    const { engine, nc, stream } = await opened(t);
    for (let n = 0; n < 10; n++) await engine.topics.publish([entry(n, { topic: "shop.orders" })]);
    for (const seq of [4, 5, 10]) await nc.request(`$JS.API.STREAM.MSG.DELETE.${stream}`, JSON.stringify({ seq }));
    const pages = [];
    for (let position = 0; position < 10;) {
      const { records, next, lost } = await engine.topics.read("shop.orders", 0, position, plenty);
      pages.push([position, records.length, lost, next]);
      position = next;
    }
    assert.deepEqual(pages, [[0, 3, 0, 3], [3, 4, 2, 9], [9, 0, 1, 10]]); // prettier-ignore
  });
});

describe("an id of the caller's on NATS", { skip: withoutNats }, () => {
  const own = (n: number, data = `{"n":${n}}`) =>
    entry(n, { topic: "shop.orders", checkId: true, record: record(n, { data }) });

  it("that is repeated within the duplicate window is there once, and answered with its position", async (t) => {
    const { engine } = await opened(t);
    assert.deepEqual(await engine.topics.publish([own(1)]), [{ position: 0, duplicate: false }]);
    assert.deepEqual(await engine.topics.publish([own(1)]), [{ position: 0, duplicate: true }]);
    assert.deepEqual(await engine.topics.publish([own(2), own(1)]), [
      { position: 1, duplicate: false },
      { position: 0, duplicate: true },
    ]);
  });

  it("that comes with another payload is a conflict, or an unknown outcome where a part was written", async (t) => {
    const { engine } = await opened(t);
    await engine.topics.publish([own(1)]);
    assert.equal((await rejection(engine.topics.publish([own(1, "{}")]))).code, "TIDINGS_ID_CONFLICT");
    assert.equal((await rejection(engine.topics.publish([own(2), own(1, "{}")]))).code, "TIDINGS_OUTCOME_UNKNOWN");
    await engine.topics.publish([own(3)]);
    assert.deepEqual(await numbers(engine, 0, "shop.orders"), [1, 2, 3]);
  });
});
