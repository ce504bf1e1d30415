import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { draftOf } from "../../../src/engines/redis/draft.ts";
import { argumentsOf, type Call, streamsOf } from "../../../src/engines/redis/group.ts";
import { keysOf } from "../../../src/engines/redis/keys.ts";
import { appendScript } from "../../../src/engines/redis/scripts/append.ts";
import { OwnServer } from "./server.ts";
import { client, entry, numbers, open, prefix, withoutRedis } from "./support.ts";

describe("a group that comes late from a connection that was given up", { skip: withoutRedis }, () => {
  it("is refused by its epoch, its number or its store, and writes nothing", async (t) => {
    const { url } = await OwnServer.start(t);
    const name = "mine";
    const engine = await open(t, { url, prefix: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const plain = await client(t, url);
    const keys = keysOf({ prefix: name, database: 0 });
    const [writer = ""] = await plain.keys(`{${name}}:writer:*`);
    const state = async () => {
      const { epoch = "", seq = "" } = await plain.hGetAll(writer);
      return { epoch, seq: Number(seq), store: (await plain.hGet(keys.meta, "store")) ?? "" };
    };
    /** Sends what the engine would have sent. */
    const late = async (n: number, { epoch, seq, store }: { epoch: string; seq: number; store: string }) => {
      const drafts = [draftOf(entry(n, { checkId: true }), keys, 1 << 20)];
      const call: Call = { drafts, bytes: 0, sinceMs: 0, resolve: () => undefined, reject: () => undefined };
      const streams = streamsOf([call]);
      const args = argumentsOf({ number: seq, calls: [call], streams, sentAtMs: 0 });
      return plain.sendCommand<string>(["EVAL", appendScript.text, "3", keys.meta, writer, ...streams, store, epoch, String(seq), "60000", "", "", ...args]); // prettier-ignore
    };
    const before = await state();
    assert.equal(before.seq, 1);
    // Another connection, another epoch.
    await plain.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    await engine.topics.publish([entry(1)]);
    const now = await state();
    assert.notEqual(now.epoch, before.epoch);
    assert.equal(await late(7, { ...before, seq: now.seq + 1 }), "fenced");
    assert.equal(await late(7, { ...now, seq: now.seq }), "order");
    assert.equal(await late(7, { ...now, seq: now.seq + 2 }), "order");
    assert.equal(await late(7, { ...now, store: "another", seq: now.seq + 1 }), "replaced");
    assert.deepEqual(await numbers(engine), [0, 1]);
    // The same with everything right is taken; the engine finds its number used, and goes on behind it.
    assert.equal(await late(7, { ...now, seq: now.seq + 1 }), "+2;");
    await engine.topics.publish([entry(2)]);
    assert.deepEqual(await numbers(engine), [0, 1, 7, 2]);
  });

  it("is not taken for another writer's when the server has forgotten this one", async (t) => {
    const name = await prefix(t);
    const engine = await open(t, { prefix: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const plain = await client(t);
    const [writer = ""] = await plain.keys(`{${name}}:writer:*`);
    assert.ok((await plain.ttl(writer)) > 80_000);
    await plain.del(writer);
    await Promise.all([1, 2, 3].map((n) => engine.topics.publish([entry(n)])));
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3]);
    await engine.close();
    assert.deepEqual(await plain.keys(`{${name}}:writer:*`), []);
  });
});
