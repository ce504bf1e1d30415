import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { FaultProxy } from "../../../scripts/chaos/proxy.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { OwnServer } from "./server.ts";
import { client, entry, numbers, open, prefix, rejection, until, url, withoutRedis } from "./support.ts";

/** A way to the server that can be cut. */
async function proxied(t: TestContext, port = Number(new URL(url()).port)) {
  const proxy = await FaultProxy.listen(port, 1);
  afterwards(t, () => proxy.close());
  const way = new URL(url());
  way.port = String(proxy.port);
  return { proxy, way: way.href };
}

const rising = (found: readonly number[]): void =>
  assert.deepEqual(
    found,
    found.toSorted((a, b) => a - b),
  );

describe("when connections break", { skip: withoutRedis, concurrency: 1 }, () => {
  it("in the midst of what is sent, every publish is acknowledged once and in order", async (t) => {
    const name = await prefix(t);
    const { proxy, way } = await proxied(t);
    const engine = await open(t, { url: way, prefix: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    let next = 0;
    let stopped = false;
    const publishers = Array.from({ length: 8 }, async () => {
      while (!stopped) await Promise.all([0, 1].map(() => engine.topics.publish([entry(next++)])));
    });
    for (let faults = 0; faults < 40; faults++) {
      const from = next;
      await until("publishing goes on", () => next > from + 60);
      if (faults % 3 === 0) proxy.reset("all");
      else if (faults % 3 === 1) proxy.cut("all");
      else proxy.cutAfter("all", 4000);
    }
    stopped = true;
    await Promise.all(publishers);
    const found = await numbers(engine);
    rising(found);
    assert.deepEqual(
      found,
      Array.from({ length: next }, (_, n) => n),
    );
  });

  it("idle ones are made anew without anybody noticing", async (t) => {
    const name = await prefix(t);
    const { proxy, way } = await proxied(t);
    const engine = await open(t, { url: way, prefix: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    for (let n = 0; n < 5; n++) {
      await engine.topics.publish([entry(n)]);
      assert.equal((await numbers(engine)).length, n + 1);
      assert.ok(proxy.cut("all") > 0);
    }
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3, 4]);
    assert.equal(engine.trouble(), undefined);
  });

  it("the one that listens listens again", async (t) => {
    const name = await prefix(t);
    const { proxy, way } = await proxied(t);
    const engine = await open(t, { prefix: name });
    const listening = await open(t, { url: way, prefix: name, pollMs: 600_000 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    let heard = 0;
    afterwards(
      t,
      listening.topics.watch("orders", () => heard++),
    );
    const publishUntilHeard = async (): Promise<void> => {
      const before = heard;
      let n = 0;
      await until("the listener hears", async () => {
        await engine.topics.publish([entry(n++)]);
        return heard > before;
      });
    };
    await publishUntilHeard();
    proxy.reset("all");
    await publishUntilHeard();
  });
});

describe("closing", { skip: withoutRedis }, () => {
  it("also ends the connection that was being made to listen, so that the process can end", async (t) => {
    const own = await prefix(t);
    const observer = await client(t);
    const engine = await open(t, { prefix: own });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    engine.topics.watch("orders", () => undefined);
    await engine.close();
    // Each look is a round trip, and making a connection takes a few of them.
    for (let look = 0; look < 300; look++) {
      const channels = await observer.pubSubChannels(`{${own}}:*`);
      assert.deepEqual(channels, []);
    }
  });
});

describe("when the server does not answer", { skip: withoutRedis, concurrency: 1 }, () => {
  it("a connection that is half open is given up after its time, and what was on it is found out", async (t) => {
    const name = await prefix(t);
    const { proxy, way } = await proxied(t);
    const engine = await open(t, { url: way, prefix: name, requestTimeoutMs: 400 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    await numbers(engine);
    assert.ok(proxy.halfOpen("all") >= 2);
    const calls = [1, 2, 3].map((n) => engine.topics.publish([entry(n)]));
    await Promise.all(calls);
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3]);
  });

  it("what reaches it late, from before, is refused: nothing stands twice or out of order", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url, requestTimeoutMs: 300 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    // The commands lie in the server's sockets, and are run when it goes on.
    server.signal("SIGSTOP");
    const first = engine.topics.publish([entry(1)]);
    const later = [2, 3, 4].map((n) => engine.topics.publish([entry(n)]));
    await until("it notices", () => engine.trouble() !== undefined);
    server.signal("SIGCONT");
    await Promise.all([first, ...later]);
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3, 4]);
  });

  it("calls reject after their time, what was sent as unknown and what was not as unreachable; then all goes on", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url, requestTimeoutMs: 300, connectTimeoutMs: 300, busyTimeoutMs: 500 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    server.signal("SIGSTOP");
    const calls: Promise<{ code?: string }>[] = [];
    for (let n = 1; n <= 5; n++) {
      calls.push(rejection(engine.topics.publish([entry(n)])));
      // In turns of their own, so that no more than two are sent.
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    const read = rejection(engine.topics.bounds("orders"));
    const codes = (await Promise.all(calls)).map(({ code }) => code);
    const unknown = "TIDINGS_OUTCOME_UNKNOWN";
    assert.deepEqual(codes, [unknown, unknown, ...[3, 4, 5].map(() => "TIDINGS_UNREACHABLE")]);
    assert.equal((await read).code, "TIDINGS_UNREACHABLE");
    assert.match(engine.trouble() ?? "", /cannot be reached/);
    server.signal("SIGCONT");
    await until("it takes events again", () => engine.topics.publish([entry(9)]).then(() => true, () => false)); // prettier-ignore
    const found = await numbers(engine);
    rising(found);
    assert.deepEqual([found[0], found.at(-1)], [0, 9]);
    assert.equal(engine.trouble(), undefined);
  });

  it("closing settles what was accepted, in no more than its time", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url, busyTimeoutMs: 300 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await server.kill();
    const refused = [1, 2].map((n) => rejection(engine.topics.publish([entry(n)])));
    await engine.close();
    for (const error of await Promise.all(refused)) assert.equal(error.code, "TIDINGS_UNREACHABLE");
    assert.equal((await rejection(engine.topics.list())).code, "TIDINGS_CLOSED");
  });
});

describe("a server that takes no writes for a while", { skip: withoutRedis }, () => {
  it("is waited for, says so, and goes on where it was when it takes them again", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const plain = await client(t, server.url);
    await plain.sendCommand(["REPLICAOF", "127.0.0.1", "1"]);
    const waiting = [1, 2, 3].map((n) => engine.topics.publish([entry(n)]));
    await until("it says so", () => /replica/.test(engine.trouble() ?? ""));
    await plain.sendCommand(["REPLICAOF", "NO", "ONE"]);
    await Promise.all(waiting);
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3]);
    assert.equal(engine.trouble(), undefined);
  });

  it("is waited for no longer than calls are", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url, busyTimeoutMs: 300 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const plain = await client(t, server.url);
    await plain.sendCommand(["REPLICAOF", "127.0.0.1", "1"]);
    const refused = await rejection(engine.topics.publish([entry(1)]));
    assert.equal(refused.code, "TIDINGS_UNREACHABLE");
    assert.match(refused.message, /replica|READONLY/);
    await plain.sendCommand(["REPLICAOF", "NO", "ONE"]);
    await engine.topics.publish([entry(2)]);
    assert.deepEqual(await numbers(engine), [2]);
  });
});

describe("scripts that the server has forgotten", { skip: withoutRedis }, () => {
  it("are given to it again, and order holds", async (t) => {
    const name = await prefix(t);
    const engine = await open(t, { prefix: name });
    const plain = await client(t);
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    for (let round = 0; round < 5; round++) {
      await plain.sendCommand(["SCRIPT", "FLUSH"]);
      await Promise.all(Array.from({ length: 20 }, (_, n) => engine.topics.publish([entry(round * 20 + n)])));
      await engine.topics.bounds("orders");
    }
    assert.deepEqual(
      await numbers(engine),
      Array.from({ length: 100 }, (_, n) => n),
    );
  });
});

describe("a store that is not what it was", { skip: withoutRedis }, () => {
  it("stops the members for good: emptied, or set back", async (t) => {
    for (const harm of ["emptied", "set back"]) {
      const server = await OwnServer.start(t);
      const engine = await open(t, { url: server.url });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await engine.topics.publish([entry(0), entry(1), entry(2)]);
      const plain = await client(t, server.url);
      if (harm === "emptied") await plain.flushAll();
      else {
        const stream = "{tidings}:log:orders:0";
        await plain.del(stream);
        await plain.xAdd(stream, "1000000000000000-1", { data: "other" });
      }
      assert.equal((await rejection(engine.topics.publish([entry(3)]))).code, "TIDINGS_STORE_REPLACED");
      assert.equal((await rejection(engine.topics.publish([entry(4)]))).code, "TIDINGS_STORE_REPLACED");
      assert.match(engine.trouble() ?? "", /Start the members again/);
    }
  });

  it("is noticed also by who only reads", async (t) => {
    const name = await prefix(t);
    const engine = await open(t, { prefix: name });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0), entry(1), entry(2)]);
    const reader = await open(t, { prefix: name });
    assert.deepEqual(await numbers(reader), [0, 1, 2]);
    const plain = await client(t);
    const stream = `{${name}}:log:orders:0`;
    await plain.del(stream);
    await plain.xAdd(stream, "1000000000000000-1", { data: "other" });
    const refused = await rejection(reader.topics.read("orders", 0, 3, { events: 1, bytes: 1 }));
    assert.equal(refused.code, "TIDINGS_STORE_REPLACED");
  });

  it("lacks a stream that somebody has removed, which is said of that one only", async (t) => {
    const name = await prefix(t);
    const engine = await open(t, { prefix: name });
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    await (await client(t)).del(`{${name}}:log:orders:0`);
    const [gone, there] = await Promise.allSettled([
      engine.topics.publish([entry(1)]),
      engine.topics.publish([entry(2, { partition: 1 })]),
    ]);
    assert.equal(gone.status === "rejected" && (gone.reason as { code: string }).code, "TIDINGS_FILE_CORRUPT");
    assert.equal(there.status, "fulfilled");
    assert.equal((await rejection(engine.topics.bounds("orders"))).code, "TIDINGS_FILE_CORRUPT");
    assert.deepEqual(await numbers(engine, 1), [2]);
  });
});
