import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode, TidingsError } from "tidings";

import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { commandType, journalTopic, snapshotType } from "../../src/journal/command.ts";
import { journaledEngine } from "../../src/journal/journaled.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { topicsOnly } from "./broker.ts";

const platform = systemPlatform();
const write = (engine: Engine, key: string, value: string) =>
  engine.transact!({ documents: [{ collection: "c", key, value }] });

async function opened() {
  const world = memoryWorld();
  const broker = await world.open({ platform });
  const open = async (): Promise<Engine> => journaledEngine(topicsOnly(await world.open({ platform })), platform);
  const first = async (): Promise<number> => (await broker.topics.bounds(journalTopic))[0]!.first;
  return { world, broker, open, first };
}

describe("a journal", () => {
  it("leaves a snapshot after many writes and forgets what lies before it; who comes later has all of it", async () => {
    const { broker, open, first } = await opened();
    const one = await open();
    const [lease] = await one.leases!.acquire([{ name: "lease", owner: "one", ttlMs: 60_000 }]);
    await one.transact!({ timers: [{ queue: "q", key: "k", dueAtMs: 5, payload: "p" }] });
    for (let n = 0; n < 2100; n++) await write(one, `key${n % 50}`, `${n}`);
    assert.ok((await first()) > 1900, `the journal begins at ${await first()}`);
    const two = await open();
    const documents = await two.state!.scan("c", { limit: 100 });
    assert.deepEqual(documents, await one.state!.scan("c", { limit: 100 }));
    assert.equal(documents.length, 50);
    assert.equal(documents.find(({ key }) => key === "key0")?.version, 42);
    assert.deepEqual(await two.leases!.list(""), await one.leases!.list(""));
    assert.equal((await two.timers!.find("q", "k"))?.payload, "p");
    const fences = [{ lease: "lease", token: lease!.token }];
    assert.equal((await two.transact!({ fences })).committed, true);
    await Promise.all([one, two, broker].map((engine) => engine.close()));
  });

  it("catches up by the snapshot when what a member had not read yet is gone", async () => {
    const { broker, open } = await opened();
    const [one, late] = [await open(), await open()];
    await write(late, "mine", "1");
    for (let n = 0; n < 2100; n++) await write(one, "key", `${n}`);
    const [document] = await late.state!.get("c", ["key"]);
    assert.equal(document?.value, "2099");
    assert.equal((await write(late, "mine", "2")).committed, true);
    assert.equal((await one.state!.get("c", ["mine"]))[0]?.version, 2);
    await Promise.all([one, late, broker].map((engine) => engine.close()));
  });

  it("passes by what others have put there, whatever it is, and goes on", async () => {
    const { broker, open } = await opened();
    const one = await open();
    await write(one, "key", "0");
    const source = "/tidings/journal";
    const texts = [
      "no JSON",
      "null",
      "7",
      "[]",
      '{"v":1}',
      '{"v":1,"command":null}',
      '{"v":1,"command":{"op":"write"}}',
    ];
    texts.push('{"v":1,"command":{"op":"acquire","requests":[null]}}', '{"v":1,"command":{"op":"none"}}');
    texts.push('{"v":1,"command":{"op":"write","fences":[],"checks":[],"documents":[7],"timers":[]}}');
    const entryOf = (type: string, data: string) => ({
      topic: journalTopic,
      partition: 0,
      record: { id: platform.ids.next(), source, type, timeMs: 0, key: null, attributes: undefined, data },
    });
    await broker.topics.publish(texts.flatMap((text) => [entryOf(commandType, text), entryOf(snapshotType, text)]));
    await write(one, "key", "1");
    const two = await open();
    assert.equal((await write(two, "key", "2")).committed, true);
    assert.deepEqual(await one.state!.get("c", ["key"]), await two.state!.get("c", ["key"]));
    await Promise.all([one, two, broker].map((engine) => engine.close()));
  });

  it("says that positions are lost when its front is gone and no snapshot is left", async () => {
    const { broker, open } = await opened();
    const one = await open();
    for (let n = 0; n < 3; n++) await write(one, "key", `${n}`);
    await one.close();
    await broker.topics.retain(journalTopic, { appendedBeforeMs: Date.now() + 86_400_000 });
    const two = await open();
    await assert.rejects(two.state!.get("c", ["key"]), (error) => hasCode(error, "TIDINGS_STORE_REPLACED"));
    await assert.rejects(write(two, "key", "4"), (error) => hasCode(error, "TIDINGS_STORE_REPLACED"));
    assert.match(two.trouble() ?? "", /no snapshot of it is left/);
    await Promise.all([two, broker].map((engine) => engine.close()));
  });

  it("stops at an entry of a newer version, and takes no notice of what others have put there", async () => {
    const { broker, open } = await opened();
    const one = await open();
    await write(one, "key", "1");
    const record = { source: "/somebody", type: "else", timeMs: 1, key: null, attributes: undefined, data: "no" };
    const put = (id: string, more: object) =>
      broker.topics.publish([{ topic: journalTopic, partition: 0, record: { id, ...record, ...more } }]);
    await put("a", {});
    await write(one, "key", "2");
    await put("b", { source: "/tidings/journal", type: commandType, data: '{"v":99,"command":{"op":"new"}}' });
    await assert.rejects(write(one, "key", "3"), (error) => hasCode(error, "TIDINGS_SCHEMA_TOO_NEW"));
    await Promise.all([one, broker].map((engine) => engine.close()));
  });

  it("takes a command once that stands there twice, also behind others and behind a snapshot", async () => {
    const { broker, open } = await opened();
    const [one, other] = [await open(), await open()];
    await write(one, "key", "1");
    const { records } = await broker.topics.read(journalTopic, 0, 0, { events: 1, bytes: 1 });
    const { id: _, ...record } = records[0]!;
    const again = (id: string) =>
      broker.topics.publish([{ topic: journalTopic, partition: 0, record: { ...record, id } }]);
    await again("at once");
    await write(other, "key", "2");
    await again("behind another");
    assert.equal((await other.state!.get("c", ["key"]))[0]?.value, "2");
    for (let n = 0; n < 2100; n++) await write(other, "more", `${n}`);
    await again("behind a snapshot");
    for (const engine of [one, other, await open()]) {
      const [document] = await engine.state!.get("c", ["key"]);
      assert.deepEqual([document?.value, document?.version], ["2", 2]);
      await engine.close();
    }
    await broker.close();
  });

  it("says of a command that is there and cannot be read back that nobody knows what came of it", async () => {
    const { broker, open, world } = await opened();
    const away = { reads: false };
    const { topics, ...rest } = topicsOnly(await world.open({ platform }));
    const read: typeof topics.read = (...asked) =>
      away.reads ? Promise.reject(new TidingsError("TIDINGS_UNREACHABLE", "It is away.")) : topics.read(...asked);
    const one = journaledEngine({ ...rest, topics: { ...topics, read } }, platform);
    await write(one, "key", "1");
    away.reads = true;
    await assert.rejects(write(one, "key", "2"), (error) => hasCode(error, "TIDINGS_OUTCOME_UNKNOWN"));
    away.reads = false;
    const other = await open();
    assert.equal((await other.state!.get("c", ["key"]))[0]?.value, "2");
    await Promise.all([one, other, broker].map((engine) => engine.close()));
  });

  it("knows what was acknowledged before it was asked, also when a page that was asked for earlier has nothing of it", async () => {
    const { broker, open, world } = await opened();
    const { topics, ...rest } = topicsOnly(await world.open({ platform }));
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    let holds = false;
    const read: typeof topics.read = async (...asking) => {
      const page = await topics.read(...asking);
      if (!holds || page.records.length > 0) return page;
      asked.resolve();
      await answer.promise;
      return page;
    };
    const one = journaledEngine({ ...rest, topics: { ...topics, read } }, platform);
    const other = await open();
    await write(one, "key", "1");
    holds = true;
    // Something to look for: a page at the end of the journal is on its way from now on.
    one.state!.watch("c", () => undefined);
    await asked.promise;
    await write(other, "key", "2");
    const reading = one.state!.get("c", ["key"]);
    await broker.topics.bounds(journalTopic);
    setImmediate(answer.resolve);
    assert.equal((await reading)[0]?.value, "2");
    await Promise.all([one, other, broker].map((engine) => engine.close()));
  });

  it("takes commands in the order of the calls, also at the moment in which one has published its events", async () => {
    const { broker, world } = await opened();
    await broker.topics.declare([{ name: "events", partitions: 1 }]);
    const record = { source: "/s", type: "x", timeMs: 0, key: null, attributes: undefined, data: "{}" };
    // It was one hop of promises that was too early.
    for (let hops = 0; hops < 20; hops++) {
      const { topics, ...rest } = topicsOnly(await world.open({ platform }));
      const published = Promise.withResolvers<void>();
      const order: string[] = [];
      const publish: typeof topics.publish = async (entries) => {
        const [, key] = /"key":"(\w+)"/.exec(String(entries[0]?.record.data)) ?? [];
        if (key !== undefined) order.push(key);
        const appended = await topics.publish(entries);
        if (key === undefined) published.resolve();
        return appended;
      };
      const one = journaledEngine({ ...rest, topics: { ...topics, publish } }, platform);
      await write(one, "zero", "");
      const entries = [{ topic: "events", partition: 0, record: { id: `${hops}`, ...record } }];
      const publishing = one.transact!({ documents: [{ collection: "c", key: "one", value: "" }], publish: entries });
      const second = write(one, "two", "");
      await published.promise;
      for (let hop = 0; hop < hops; hop++) await Promise.resolve();
      await Promise.all([publishing, second, write(one, "three", "")]);
      assert.deepEqual(order, ["zero", "one", "two", "three"], `${hops} hops`);
      await one.close();
    }
    await broker.close();
  });

  it("looks at fences by a command before it publishes, where the end of a topic is found slowly", async () => {
    const { broker, open, world } = await opened();
    await broker.topics.declare([{ name: "events", partitions: 1 }]);
    const { topics, ...rest } = topicsOnly(await world.open({ platform }));
    let looks = 0;
    const bounds: typeof topics.bounds = async (topic) => {
      if (topic === journalTopic) looks += 1;
      await sleep(50);
      return topics.bounds(topic);
    };
    const [one, other] = [journaledEngine({ ...rest, topics: { ...topics, bounds } }, platform), await open()];
    const [lease] = await one.leases!.acquire([{ name: "lease", owner: "one", ttlMs: 60_000 }]);
    const record = { source: "/s", type: "x", timeMs: 0, key: null, attributes: undefined, data: "{}" };
    const publish = (id: string) =>
      one.transact!({
        fences: [{ lease: "lease", token: lease!.token }],
        publish: [{ topic: "events", partition: 0, record: { id, ...record } }],
      });
    const before = looks;
    assert.equal((await publish("a")).committed, true);
    assert.equal(looks, before);
    await other.leases!.release([lease!]);
    assert.deepEqual(await publish("b"), { committed: false, conflict: { kind: "fence", index: 0 } });
    assert.equal(looks, before);
    assert.equal((await broker.topics.bounds("events"))[0]!.next, 1);
    await Promise.all([one, other, broker].map((engine) => engine.close()));
  });

  it("tells nobody of itself among the topics", async () => {
    const { broker, open } = await opened();
    const one = await open();
    await write(one, "key", "1");
    assert.deepEqual(await one.topics.list(), []);
    await Promise.all([one, broker].map((engine) => engine.close()));
  });
});
