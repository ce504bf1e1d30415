import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { entry, numbers, open, prefix, record, until, withoutRedis } from "./support.ts";

describe("a publish", { skip: withoutRedis }, () => {
  it("may be as large as Redis takes in one command, and beyond it is refused before anything is sent", async (t) => {
    const engine = await open(t, { prefix: await prefix(t) });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const many = Array.from({ length: 50_001 }, (_, n) => entry(n));
    await assert.rejects(engine.topics.publish(many), { code: "TIDINGS_INVALID_ARGUMENT", message: /in parts/ });
    assert.deepEqual(await numbers(engine), []);
    const taken = await engine.topics.publish(many.slice(0, 40_000));
    assert.equal(taken.at(-1)?.position, 39_999);
    assert.deepEqual((await engine.topics.bounds("orders"))[0], { first: 0, next: 40_000 });
  });

  it("may hold events with three thousand attributes, and no more", async (t) => {
    const engine = await open(t, { prefix: await prefix(t) });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const attributes = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, `${n}`]));
    const withThem = (count: number) => entry(0, { record: record(0, { attributes: attributes(count) }) });
    await assert.rejects(engine.topics.publish([withThem(3001)]), { code: "TIDINGS_EVENT_TOO_LARGE" });
    await engine.topics.publish([withThem(3000)]);
    const { records } = await engine.topics.read("orders", 0, 0, { events: 1, bytes: 1 << 20 });
    assert.deepEqual({ ...records[0]?.attributes }, attributes(3000));
  });

  it("to many topics at once is one, and each of their listeners hears of it", async (t) => {
    const name = await prefix(t);
    const [engine, other] = [await open(t, { prefix: name }), await open(t, { prefix: name, pollMs: 600_000 })];
    const names = Array.from({ length: 40 }, (_, n) => `topic-${n}`);
    await engine.topics.declare(names.map((topic) => ({ name: topic, partitions: 1 })));
    const heard = new Set<string>();
    for (const topic of names) t.after(other.topics.watch(topic, () => heard.add(topic)));
    // All are called when the connection that listens is there; from then on nothing but news calls them.
    await until("it listens", () => heard.size === names.length);
    heard.clear();
    await engine.topics.publish(names.map((topic, n) => entry(n, { topic })));
    await until("each is called", () => heard.size === names.length);
    for (const [n, topic] of names.entries()) assert.deepEqual(await numbers(other, 0, topic), [n]);
  });
});
