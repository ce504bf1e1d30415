import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { redis } from "../../../src/engines/redis/index.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { OwnServer, synced } from "./server.ts";
import { client, entry, open, platform, refusal, until, withoutRedis } from "./support.ts";

async function refusedOn(
  t: TestContext,
  settings: Readonly<Record<string, string>>,
): Promise<Error & { code?: string }> {
  const server = await OwnServer.start(t, settings);
  return refusal({ url: server.url });
}

describe("a server that may lose what it acknowledges", { skip: withoutRedis }, () => {
  it("is refused with the setting that is wrong, unless the loss was accepted", async (t) => {
    const server = await OwnServer.start(t, { save: "" });
    const plain = await client(t, server.url);
    const settings: readonly [readonly string[], RegExp][] = [
      [[], /appendonly/],
      [["appendonly", "yes"], /appendfsync everysec/],
      [["appendfsync", "no"], /appendfsync no/],
      [["appendfsync", "always", "no-appendfsync-on-rewrite", "yes"], /no-appendfsync-on-rewrite/],
    ];
    for (const [set, says] of settings) {
      if (set.length > 0) await plain.sendCommand(["CONFIG", "SET", ...set]);
      const refused = await refusal({ url: server.url });
      assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
      assert.match(refused.message, says);
      const engine = await open(t, { url: server.url, durability: "weak" });
      assert.equal(engine.capabilities.durability, "confirmed");
    }
    await plain.sendCommand(["CONFIG", "SET", "no-appendfsync-on-rewrite", "no"]);
    const engine = await open(t, { url: server.url });
    assert.equal(engine.capabilities.durability, "disk");
    assert.equal((await engine.info())["appendfsync"], "always");
  });

  it("is found out and refused also while the engine runs, and taken when it is set right", async (t) => {
    const server = await OwnServer.start(t);
    // The look that comes every ten seconds comes when the test says.
    let look: () => void = () => undefined;
    const { clock } = platform;
    const after: typeof clock.after = (delayMs, fn, background) => {
      if (delayMs === 10_000) look = fn;
      return clock.after(delayMs, fn, background);
    };
    const moved = { ...platform, clock: { ...clock, after } };
    const engine = await redis({ url: server.url, notify: false }).open({ platform: moved });
    afterwards(t, () => engine.close());
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const plain = await client(t, server.url);
    await plain.sendCommand(["CONFIG", "SET", "appendfsync", "everysec"]);
    look();
    await until("it is refused", () => engine.topics.publish([entry(1)]).then(() => false, () => true)); // prettier-ignore
    assert.match(engine.trouble() ?? "", /appendfsync everysec/);
    await assert.rejects(engine.topics.publish([entry(1)]), { code: "TIDINGS_SERVER_UNSAFE" });
    await plain.sendCommand(["CONFIG", "SET", "appendfsync", "always"]);
    await engine.topics.publish([entry(2)]);
    assert.equal(engine.trouble(), undefined);
  });

  it("is refused for evicting, also when loss was accepted", async (t) => {
    const server = await OwnServer.start(t, { ...synced, "maxmemory-policy": "allkeys-lru" });
    for (const options of [{}, { durability: "weak" as const }]) {
      const refused = await refusal({ url: server.url, ...options });
      assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
      assert.match(refused.message, /noeviction/);
    }
  });

  it("is refused when it is a replica, or part of a cluster", async (t) => {
    const primary = await OwnServer.start(t);
    const replica = await refusedOn(t, { ...synced, replicaof: `127.0.0.1 ${primary.port}` });
    assert.equal(replica.code, "TIDINGS_READ_ONLY");
    assert.match(replica.message, /replica/);
    const cluster = await refusedOn(t, { ...synced, "cluster-enabled": "yes" });
    assert.equal(cluster.code, "TIDINGS_UNSUPPORTED");
    assert.match(cluster.message, /Cluster/);
  });
});

describe("a server without room", { skip: withoutRedis }, () => {
  it("refuses what it cannot take whole, says so, and goes on when there is room again", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const plain = await client(t, server.url);
    await plain.sendCommand(["CONFIG", "SET", "maxmemory", "1mb"]);
    await assert.rejects(engine.topics.publish([entry(1), entry(2)]), { code: "TIDINGS_DISK_FULL" });
    assert.match(engine.trouble() ?? "", /no room/);
    assert.equal((await engine.topics.bounds("orders"))[0]?.next, 1);
    await plain.sendCommand(["CONFIG", "SET", "maxmemory", "0"]);
    await engine.topics.publish([entry(3)]);
    await until("it has no trouble", () => engine.trouble() === undefined);
    assert.equal((await engine.topics.bounds("orders"))[0]?.next, 2);
  });
});

describe("the process that is killed", { skip: withoutRedis }, () => {
  it("has lost nothing acknowledged and keeps order, however often the server dies under load", async (t) => {
    const server = await OwnServer.start(t);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    let next = 0;
    let stopped = false;
    const publisher = async (partition: number): Promise<void> => {
      while (!stopped) {
        // Three at once, so that calls stand behind each other when the server dies.
        const calls = [0, 1, 2].map(() => engine.topics.publish([entry(next++, { partition })]));
        await Promise.all(calls);
      }
    };
    const publishers = [0, 1, 0, 1].map(publisher);
    for (let kills = 0; kills < 5; kills++) {
      const from = next;
      await until("publishing goes on", () => next > from + 300);
      await server.kill();
      await server.start();
    }
    stopped = true;
    await Promise.all(publishers);
    const all: number[] = [];
    for (const partition of [0, 1]) {
      const positions: number[] = [];
      const seen: number[] = [];
      for (let position = 0; ;) {
        const page = await engine.topics.read("orders", partition, position, { events: 500, bytes: 1 << 20 });
        if (page.records.length === 0) break;
        for (const record of page.records) {
          positions.push(record.position);
          seen.push((JSON.parse(record.data as string) as { n: number }).n);
        }
        position = page.next;
      }
      assert.deepEqual(
        positions,
        positions.map((_, n) => n),
      );
      // Numbers rise with the calls.
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      );
      all.push(...seen);
    }
    // Every call was acknowledged, for the server can tell what took effect; nothing was doubled by that.
    assert.equal(all.length, next);
    assert.equal(new Set(all).size, next);
    t.diagnostic(`${next} events over 5 kills`);
  });
});
