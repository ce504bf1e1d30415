import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { checksumOf } from "../../../src/engines/redis/checksum.ts";
import type { StoredRecord } from "../../../src/event/record.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { record } from "../records.ts";
import { client, entry, open, prefix, until, withoutRedis } from "./support.ts";

const page = { events: 100, bytes: 1 << 20 };

interface Setting {
  readonly engine: Engine;
  readonly stream: string;
  readonly prefix: string;
  readonly append: (fields: Record<string, string | Buffer>) => Promise<void>;
  readonly read: () => Promise<readonly StoredRecord[]>;
}

async function setting(t: TestContext): Promise<Setting> {
  const name = await prefix(t);
  const engine = await open(t, { prefix: name });
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  const plain = await client(t);
  const stream = `{${name}}:log:orders:0`;
  return {
    engine,
    stream,
    prefix: name,
    append: async (fields) => void (await plain.sendCommand(["XADD", stream, "*", ...Object.entries(fields).flat()])),
    read: async () => (await engine.topics.read("orders", 0, 0, page)).records,
  };
}

const cloudEvent = {
  ce_specversion: "1.0",
  ce_id: "a-1",
  ce_source: "/elsewhere",
  ce_type: "shop.order.placed",
  ce_time: "2026-01-31T12:00:00.123Z",
  ce_partitionkey: "customer-7",
  ce_subject: "order 1",
};

describe("what other programs append with XADD and *", { skip: withoutRedis }, () => {
  it("stands between the engine's own events without a gap", async (t) => {
    const { engine, append, read } = await setting(t);
    await append({ ...cloudEvent, data: '{"n":0}' });
    await engine.topics.publish([entry(1)]);
    await append({ ...cloudEvent, ce_id: "a-2", data: '{"n":2}' });
    await append({ text: "hello" });
    await engine.topics.publish([entry(4)]);
    const records = await read();
    assert.deepEqual(
      records.map(({ position }) => position),
      [0, 1, 2, 3, 4],
    );
    assert.deepEqual(await engine.topics.bounds("orders"), [{ first: 0, next: 5 }]);
    assert.deepEqual((await engine.verify()).problems, []);
    const instants = records.map(({ appendedAtMs }) => appendedAtMs);
    assert.equal(instants[2], instants[1]);
    assert.equal(instants[3], instants[1]);
  });

  it("is an event as it says, when it is a CloudEvent in binary mode", async (t) => {
    const { append, read } = await setting(t);
    await append({ ...cloudEvent, "content-type": "application/json", data: '{ "total": 1.0 }' });
    await append({ ...cloudEvent, "content-type": "application/protobuf", data: Buffer.from([0, 255, 1]) });
    const dashes = Object.fromEntries(
      Object.entries(cloudEvent).map(([name, value]) => [name.replace("_", "-"), value]),
    );
    await append({ ...dashes, data: "[]" });
    const [json, bytes, dashed] = await read();
    const { id, source, type, timeMs, key, attributes, data } = json as StoredRecord;
    assert.deepEqual(
      { id, source, type, timeMs, key, attributes, data },
      {
        id: "a-1",
        source: "/elsewhere",
        type: "shop.order.placed",
        timeMs: Date.parse("2026-01-31T12:00:00.123Z"),
        key: "customer-7",
        attributes: { subject: "order 1" },
        data: '{ "total": 1.0 }',
      },
    );
    assert.deepEqual(bytes?.data, Uint8Array.of(0, 255, 1));
    assert.equal(bytes?.attributes?.["datacontenttype"], "application/protobuf");
    assert.deepEqual([dashed?.id, dashed?.key, dashed?.data], ["a-1", "customer-7", "[]"]);
  });

  it("is an event as it says, when it is a CloudEvent in structured mode", async (t) => {
    const { append, read } = await setting(t);
    const event = {
      specversion: "1.0",
      id: "s-1",
      source: "/s",
      type: "s.happened",
      partitionkey: "k",
      data: { n: 1 },
    };
    await append({ event: JSON.stringify(event) });
    await append({
      "content-type": "application/cloudevents+json; charset=utf-8",
      data: JSON.stringify(event),
      more: "x",
    });
    for (const record of await read())
      assert.deepEqual([record.id, record.source, record.type, record.key, record.data], ["s-1", "/s", "s.happened", "k", '{"n":1}']); // prettier-ignore
  });

  it("is an event of the type tidings.foreign otherwise, and never stops the partition", async (t) => {
    const { engine, append, read } = await setting(t);
    await append({ data: '{"n":1}' });
    await append({ body: "no JSON" });
    await append({ body: Buffer.from([0xff, 0xfe]) });
    await append({ name: "a", total: "3" });
    await append({ ce_id: "no type", data: "{}" });
    await append({ ce_specversion: "1.0", ce_id: "x", ce_source: "", ce_type: "two words", data: "{}" });
    const records = await read();
    assert.deepEqual(new Set(records.map(({ type }) => type)), new Set(["tidings.foreign"]));
    assert.deepEqual(
      records.slice(0, 4).map(({ data }) => data),
      ['{"n":1}', "no JSON", Uint8Array.of(0xff, 0xfe), '{"name":"a","total":"3"}'],
    );
    assert.deepEqual(
      records.slice(0, 4).map(({ attributes }) => attributes?.["datacontenttype"]),
      [undefined, "text/plain", "application/octet-stream", undefined],
    );
    assert.deepEqual(
      records.map(({ id }) => id),
      ["0-0", "0-1", "0-2", "0-3", "0-4", "0-5"],
    );
    assert.equal(records[0]?.source, `${engine.address.replace(/\?.*/, "")}/orders`);
  });

  it("wakes who listens, though nobody tells of it", async (t) => {
    const { engine, append } = await setting(t);
    let heard = 0;
    t.after(engine.topics.watch("orders", () => heard++));
    await until("the first look is over", () => heard > 0);
    const before = heard;
    await append({ text: "hello" });
    await until("it is heard of", () => heard > before);
  });

  it("goes by age with what stands behind it, and not before", async (t) => {
    const { engine, append, read } = await setting(t);
    await append({ text: "old" });
    await engine.topics.publish([entry(1)]);
    await append({ text: "newer" });
    const after = { appendedBeforeMs: Date.now() + 60_000 };
    assert.deepEqual(await engine.topics.positionsAt("orders", after.appendedBeforeMs), [2]);
    assert.equal(await engine.topics.retain("orders", after), 2);
    assert.deepEqual((await read()).map(({ data }) => data), ["newer"]); // prettier-ignore
    assert.equal(await engine.topics.retain("orders", after), 0);
  });
});

describe("what the engine appends", { skip: withoutRedis }, () => {
  it("is read by any client as a CloudEvent in binary mode", async (t) => {
    const { engine, stream } = await setting(t);
    const attributes = { subject: "order 1", datacontenttype: "application/json" };
    await engine.topics.publish([entry(7, { record: { ...entry(7).record, attributes } })]);
    const [read] = (await (await client(t)).xRange(stream, "-", "+")) ?? [];
    assert.equal(read?.id, "1000000000000000-1");
    const { tidings: stamp, ...message } = read?.message ?? {};
    assert.deepEqual(message, {
      ce_specversion: "1.0",
      ce_id: "id-7",
      ce_source: "/test",
      ce_type: "test.happened",
      ce_time: new Date(1_750_000_000_007).toISOString(),
      ce_partitionkey: "key-7",
      ce_subject: "order 1",
      "content-type": "application/json",
      data: '{"n":7}',
    });
    assert.match(stamp ?? "", /^\d+ 1750000000007 \d+ t[0-9a-f]+$/);
  });

  it("names JSON where the event does not, and comes back as it was, also as it was written before that", async (t) => {
    const { engine, stream, read } = await setting(t);
    const attributes = { datacontenttype: "application/json" };
    const written = [record(1), record(2, { attributes }), record(3, { data: undefined }), record(4, { data: Uint8Array.of(0xff) })]; // prettier-ignore
    await engine.topics.publish(written.map((each) => entry(0, { record: each })));
    const plain = await client(t);
    const entries = (await plain.xRange(stream, "-", "+")) as readonly { message: Record<string, string> }[];
    assert.deepEqual(
      entries.map(({ message }) => message["content-type"]),
      ["application/json", "application/json", undefined, "application/json"],
    );
    const { tidings: stamp = "", "content-type": _, ...before } = entries[0]!.message;
    const fields = Object.entries(before).flat();
    const old = stamp.replace(/ti[0-9a-f]+$/, `t${checksumOf(stream, fields)}`);
    assert.notEqual(old, stamp);
    await plain.sendCommand(["XADD", stream, "*", ...fields, "tidings", old]);
    assert.deepEqual(
      (await read()).map(({ id, source, type, timeMs, key, attributes: found, data }) => ({ id, source, type, timeMs, key, attributes: found, data })),
      [...written, record(1)],
    ); // prettier-ignore
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("is dated by the server's clock, which never goes back", async (t) => {
    const { engine, read, prefix: name } = await setting(t);
    await engine.topics.publish([entry(1)]);
    const plain = await client(t);
    const ahead = Date.now() + 3_600_000;
    await plain.hSet(`{${name}}:meta`, "clock", String(ahead));
    await engine.topics.publish([entry(2)]);
    const [first, second] = await read();
    const [seconds] = await plain.sendCommand<string[]>(["TIME"]);
    assert.ok(Math.abs((first?.appendedAtMs ?? 0) - Number(seconds) * 1000) < 60_000);
    assert.equal(second?.appendedAtMs, ahead);
  });

  it("is refused when it was changed, and the neighbours are not", async (t) => {
    const { engine, stream, read } = await setting(t);
    await engine.topics.publish([entry(0), entry(1), entry(2)]);
    const plain = await client(t);
    const script = `local all = redis.call('XRANGE', KEYS[1], '-', '+') redis.call('DEL', KEYS[1])
      for n, entry in ipairs(all) do if n == 2 then entry[2][4] = 'id-X' end redis.call('XADD', KEYS[1], entry[1], unpack(entry[2])) end`;
    await plain.eval(script, { keys: [stream], arguments: [] });
    assert.equal((await read()).length, 1);
    await assert.rejects(engine.topics.read("orders", 0, 1, page), { code: "TIDINGS_RECORD_CORRUPT" });
    assert.equal((await engine.topics.read("orders", 0, 2, page)).records.length, 1);
    const { problems } = await engine.verify();
    assert.deepEqual(problems, [{ place: "topic orders, partition 0, position 1", problem: "does not match its checksum" }]); // prettier-ignore
  });
});
