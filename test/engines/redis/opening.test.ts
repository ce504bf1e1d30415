import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { redis } from "../../../src/engines/redis/index.ts";
import { OwnServer, synced } from "./server.ts";
import { client, entry, numbers, open, platform, prefix, refusal, rejection, url, withoutRedis } from "./support.ts";

describe("opening a Redis store", { skip: withoutRedis }, () => {
  it("makes it once, however many members do so at once", async (t) => {
    const name = await prefix(t);
    const engines = await Promise.all([1, 2, 3, 4].map(() => open(t, { prefix: name })));
    await Promise.all(engines.map((engine) => engine.topics.declare([{ name: "orders", partitions: 2 }])));
    await Promise.all(engines.map((engine, n) => engine.topics.publish([entry(n)])));
    const stores = await Promise.all(engines.map(async (engine) => (await engine.info())["store"]));
    assert.equal(new Set(stores).size, 1);
    for (const engine of engines)
      assert.deepEqual(
        (await numbers(engine)).toSorted((a, b) => a - b),
        [0, 1, 2, 3],
      );
  });

  it("where nobody listens is refused after its time", async () => {
    const refused = await refusal({ url: "redis://127.0.0.1:1", busyTimeoutMs: 200 });
    assert.equal(refused.code, "TIDINGS_UNREACHABLE");
    assert.match(refused.message, /ECONNREFUSED/);
  });

  it("waits for a server that starts meanwhile", async (t) => {
    const server = await OwnServer.start(t);
    await server.kill();
    const opening = redis({ url: server.url }).open({ platform });
    await server.start();
    await (await opening).close();
  });

  it("under a prefix that is somebody else's is refused, and leaves it as it is", async (t) => {
    const name = await prefix(t);
    const plain = await client(t);
    await plain.set(`{${name}}:meta`, "theirs");
    assert.equal((await refusal({ prefix: name })).code, "TIDINGS_FOREIGN_SCHEMA");
    assert.equal(await plain.get(`{${name}}:meta`), "theirs");
    await plain.del(`{${name}}:meta`);
    await plain.hSet(`{${name}}:meta`, "their", "field");
    assert.equal((await refusal({ prefix: name })).code, "TIDINGS_FOREIGN_SCHEMA");
  });

  it("of a format that a newer version has made is refused", async (t) => {
    const name = await prefix(t);
    await open(t, { prefix: name });
    await (await client(t)).hSet(`{${name}}:meta`, "format", "99");
    const refused = await refusal({ prefix: name });
    assert.equal(refused.code, "TIDINGS_SCHEMA_TOO_NEW");
    assert.match(refused.message, /99/);
  });

  it("for reading makes nothing, reads what is there and refuses to write", async (t) => {
    const name = await prefix(t);
    assert.equal((await refusal({ prefix: name, readOnly: true })).code, "TIDINGS_NOT_FOUND");
    assert.deepEqual(await (await client(t)).keys(`{${name}}*`), []);
    const writer = await open(t, { prefix: name });
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    await writer.topics.publish([entry(1)]);
    const reader = await open(t, { prefix: name, readOnly: true });
    assert.deepEqual(await numbers(reader), [1]);
    for (const call of [
      reader.topics.publish([entry(2)]),
      reader.topics.declare([{ name: "more", partitions: 1 }]),
      reader.topics.retain("orders", { partitionBytesMax: 1 }),
    ])
      assert.equal((await rejection(call)).code, "TIDINGS_READ_ONLY");
  });
});

describe("a user of Redis", { skip: withoutRedis }, () => {
  it("with a wrong password is refused at once, and the message says no secret", async (t) => {
    const server = await OwnServer.start(t, { ...synced, requirepass: "right" });
    const wrong = await refusal({ url: `redis://:not-the-password@127.0.0.1:${server.port}` });
    assert.equal(wrong.code, "TIDINGS_ACCESS_DENIED");
    assert.doesNotMatch(wrong.message, /not-the-password/);
    assert.equal((await refusal({ url: server.url })).code, "TIDINGS_ACCESS_DENIED");
    const engine = await open(t, { url: `redis://:right@127.0.0.1:${server.port}` });
    assert.doesNotMatch(engine.address, /right/);
  });

  it("who lacks a permission is told which when the engine is opened", async (t) => {
    const name = await prefix(t);
    const admin = await client(t);
    const user = `u_${name}`;
    const to = new URL(url());
    [to.username, to.password] = [user, "x"];
    const allow = (...rules: string[]) => admin.sendCommand(["ACL", "SETUSER", user, "on", ">x", ...rules]);
    await allow(`~{${name}}:*`, "&*", "+@all", "-xtrim");
    try {
      const refused = await refusal({ url: to.href, prefix: name });
      assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
      assert.match(refused.message, /xtrim/i);
      await allow("+xtrim", "-config|get");
      const unasked = await refusal({ url: to.href, prefix: name });
      assert.equal(unasked.code, "TIDINGS_SERVER_UNSAFE");
      assert.match(unasked.message, /CONFIG GET/);
      await allow("resetkeys", "~other:*", "+config|get");
      assert.equal((await refusal({ url: to.href, prefix: name })).code, "TIDINGS_ACCESS_DENIED");
    } finally {
      await admin.sendCommand(["ACL", "DELUSER", user]);
    }
  });

  it("needs no more than what the page on Redis lists", async (t) => {
    const name = await prefix(t);
    const admin = await client(t);
    const user = `u_${name}`;
    const to = new URL(url());
    [to.username, to.password] = [user, "x"];
    const rules = `~{${name}}:* &{${name}}:* -@all +@read +@write +@connection +@scripting +@pubsub +time +info +config|get`;
    await admin.sendCommand(["ACL", "SETUSER", user, "on", ">x", ...rules.split(" ")]);
    try {
      const engine = await redis({ url: to.href, prefix: name }).open({ platform });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await engine.topics.publish([entry(1, { checkId: true })]);
      assert.deepEqual(await numbers(engine), [1]);
      assert.deepEqual(await engine.topics.positionsAt("orders", 0), [0]);
      assert.equal(await engine.topics.retain("orders", { partitionBytesMax: 1 }), 1);
      await engine.close();
    } finally {
      await admin.sendCommand(["ACL", "DELUSER", user]);
    }
  });
});
