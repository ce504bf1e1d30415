import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Connection, describeProducersV0 } from "@platformatic/kafka";

import { FaultProxy } from "../../../scripts/chaos/proxy.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { hasCode } from "../../../src/errors/tidings-error.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { admin, entry, numbers, open, ownServer, prefixFor, rejection, until, withoutKafka } from "./support.ts";

/** Publishes in waves that wait for nothing, until `stop`; knows what was acknowledged, and what may be there. */
function load(
  t: TestContext,
  engine: Engine,
): { stop(): Promise<void>; readonly acknowledged: Map<number, number>; sent(): number } {
  const acknowledged = new Map<number, number>();
  let running = true;
  let n = 0;
  const unexpected: unknown[] = [];
  const one = async (own: number): Promise<void> => {
    try {
      const [appended] = await engine.topics.publish([entry(own)]);
      acknowledged.set(own, appended!.position);
    } catch (error) {
      if (!hasCode(error, "TIDINGS_OUTCOME_UNKNOWN") && !hasCode(error, "TIDINGS_UNREACHABLE")) unexpected.push(error);
    }
  };
  const work = (async () => {
    const all: Promise<void>[] = [];
    while (running) {
      for (let i = 0; i < 20; i++) all.push(one(n++));
      await new Promise((resolve) => setImmediate(resolve));
      if (all.length - acknowledged.size > 2000) await Promise.race([Promise.all(all), delay(20)]);
    }
    await Promise.all(all);
  })();
  // A test that fails must not leave it to those behind it.
  afterwards(t, () => void (running = false));
  return {
    acknowledged,
    sent: () => n,
    async stop() {
      running = false;
      await work;
      assert.deepEqual(unexpected, []);
    },
  };
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Everything acknowledged is where it was said to be, once; and all stands in the order of the calls. */
async function expectHistory(engine: Engine, acknowledged: ReadonlyMap<number, number>): Promise<void> {
  const found = await numbers(engine);
  for (const [n, position] of acknowledged) assert.equal(found[position], n, `${n} at ${position}`);
  assert.equal(new Set(found).size, found.length, "nothing stands twice");
  for (let at = 1; at < found.length; at++)
    assert.ok(found[at]! > found[at - 1]!, `${found[at - 1]} before ${found[at]}`);
}

async function throughProxy(t: TestContext, options: Parameters<typeof open>[1] = {}) {
  const prefix = prefixFor(t);
  const { port } = new URL(serviceUrl("kafka"));
  const proxy = await FaultProxy.listen(Number(port), t.name);
  afterwards(t, () => proxy.close());
  const url = serviceUrl("kafka").replace(`:${port}`, `:${proxy.port}`);
  const engine = await open(t, { url, prefix, tunnel: true, pingIntervalMs: 200, ...options });
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  return { prefix, proxy, engine };
}

describe("when the server is killed and started again", { skip: withoutKafka, concurrency: 1 }, () => {
  it("nothing acknowledged is lost, nothing stands twice, and the order of the calls holds", async (t) => {
    const server = await ownServer(t);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const running = load(t, engine);
    for (let round = 1; round <= 2; round++) {
      const before = running.acknowledged.size;
      await until("events are acknowledged", () => running.acknowledged.size > before + 1000);
      await server.kill();
      await until("the engine says so", () => engine.trouble() !== undefined);
      await server.start();
      await until("it is healthy again", () => engine.trouble() === undefined);
    }
    await running.stop();
    assert.ok(running.acknowledged.size > 2000);
    await expectHistory(engine, running.acknowledged);
    const fresh = await open(t, { url: server.url });
    await expectHistory(fresh, running.acknowledged);
    assert.deepEqual((await fresh.verify()).problems, []);
  });

  it("and has forgotten who wrote to it, publishing goes on", async (t) => {
    const forgets = ["producer.id.expiration.ms=500", "producer.id.expiration.check.interval.ms=100"];
    const server = await ownServer(t, () => forgets);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const operator = admin(t, server.url);
    const known = async (): Promise<number> => {
      const connection = (await operator.connectToBrokers()).values().next().value as Connection;
      const { topics } = await describeProducersV0.api.async(connection, [{ name: "orders", partitionIndexes: [0] }]);
      return topics[0]?.partitions[0]?.activeProducers.length ?? 0;
    };
    for (let n = 0; n < 3; n++) {
      await engine.topics.publish([entry(2 * n), entry(2 * n + 1)]);
      await until("the broker has forgotten", async () => (await known()) === 0);
    }
    await engine.topics.publish([entry(6)]);
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3, 4, 5, 6]);
  });

  it("positions go on where they were, also when retention has left nothing", async (t) => {
    const server = await ownServer(t);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0), entry(1), entry(2)]);
    assert.equal(await engine.topics.retain("orders", { appendedBeforeMs: Date.now() + 60_000 }), 3);
    await server.kill();
    await server.start();
    const again = await open(t, { url: server.url });
    // The broker writes where a partition begins once a minute: what retention has removed may be there again.
    assert.equal((await again.topics.bounds("orders"))[0]?.next, 3);
    const [appended] = await again.topics.publish([entry(3)]);
    assert.equal(appended!.position, 3);
  });
});

describe("when connections break", { skip: withoutKafka, concurrency: 1 }, () => {
  for (const [what, inflict] of [
    ["are reset", (proxy: FaultProxy) => proxy.reset("all")],
    ["end in the midst of a message", (proxy: FaultProxy) => proxy.cutAfter("all", 5000)],
    ["are half open", (proxy: FaultProxy) => proxy.halfOpen("all")],
  ] as const)
    it(`that ${what}, nothing acknowledged is lost, nothing stands twice, and the order of the calls holds`, async (t) => {
      // However slow the machine is, nobody is refused.
      const { proxy, engine } = await throughProxy(t, { busyTimeoutMs: 60_000 });
      const running = load(t, engine);
      for (let round = 0; round < 3; round++) {
        const before = running.acknowledged.size;
        await until("events are acknowledged", () => running.acknowledged.size > before + 300);
        inflict(proxy);
        const then = running.acknowledged.size;
        await until("publishing goes on", () => running.acknowledged.size > then + 300);
      }
      await running.stop();
      await expectHistory(engine, running.acknowledged);
      // None of it needed a caller: what was unknown was sent again under its id.
      assert.equal(running.acknowledged.size, running.sent());
    });

  it("a slow way brings all of it in order", async (t) => {
    const { proxy, engine } = await throughProxy(t);
    const fast = proxy.slow("all", 30, 200_000);
    const running = load(t, engine);
    await until("events are acknowledged", () => running.acknowledged.size > 200);
    proxy.reset("all");
    await until("more are acknowledged", () => running.acknowledged.size > 600);
    fast();
    await running.stop();
    await expectHistory(engine, running.acknowledged);
  });

  it("two that write to one partition lose nothing, and each one's events stand in its order", async (t) => {
    const { proxy, engine, prefix } = await throughProxy(t);
    const other = await open(t, { prefix });
    const writers = [engine, other].map((each, index) => {
      const acknowledged: string[] = [];
      const publish = async (n: number): Promise<void> => {
        const data = JSON.stringify({ n, by: index });
        await each.topics.publish([entry(n, { record: { ...entry(n).record, data } })]);
        acknowledged.push(data);
      };
      return { publish, acknowledged };
    });
    const waves = writers.map(async ({ publish }) => {
      for (let wave = 0; wave < 40; wave++)
        await Promise.all(Array.from({ length: 50 }, (_, i) => publish(wave * 50 + i)));
    });
    for (const enough of [300, 900, 1500]) {
      await until("events are acknowledged", () => writers[0]!.acknowledged.length > enough);
      proxy.reset("all");
    }
    await Promise.all(waves);
    const found: string[] = [];
    for (let position = 0; found.length < 4000;) {
      const { records, next } = await other.topics.read("orders", 0, position, { events: 500, bytes: 1 << 20 });
      for (const { data } of records) found.push(data as string);
      position = next;
    }
    for (const [index, { acknowledged }] of writers.entries())
      assert.deepEqual(
        found.filter((data) => (JSON.parse(data) as { by: number }).by === index),
        acknowledged,
      );
  });

  it("a reader goes on where it was", async (t) => {
    const { proxy, engine } = await throughProxy(t);
    for (let n = 0; n < 3000; n += 500)
      await engine.topics.publish(Array.from({ length: 500 }, (_, i) => entry(n + i)));
    const seen: number[] = [];
    for (let position = 0, page = 0; position < 3000; page++) {
      if (page % 5 === 2) proxy.reset("all");
      const { records, next, lost } = await engine.topics.read("orders", 0, position, { events: 50, bytes: 1 << 20 });
      assert.equal(lost, 0);
      for (const { data } of records) seen.push((JSON.parse(data as string) as { n: number }).n);
      position = next;
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 3000 }, (_, n) => n),
    );
  });

  it("a listener hears of what was published after that", async (t) => {
    const { proxy, engine, prefix } = await throughProxy(t);
    const other = await open(t, { prefix });
    let heard = 0;
    engine.topics.watch("orders", () => void heard++);
    proxy.reset("all");
    await until("the engine notices", () => engine.trouble() !== undefined);
    await until("it is healthy again", () => engine.trouble() === undefined);
    await until("it hears of the other's", async () => {
      const before = heard;
      await other.topics.publish([entry(heard)]);
      await delay(20);
      return heard > before;
    });
  });
});

describe("while the server is away", { skip: withoutKafka, concurrency: 1 }, () => {
  it("calls are refused after their time, and what was not sent is not written later", async (t) => {
    const server = await ownServer(t);
    const engine = await open(t, { url: server.url, busyTimeoutMs: 300 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    await server.kill();
    await until("the engine says so", () => engine.trouble() !== undefined);
    const calls = [
      engine.topics.publish([entry(1)]),
      engine.topics.read("orders", 0, 0, { events: 1, bytes: 1 }),
      engine.topics.bounds("orders"),
      engine.topics.find("unknown"),
      engine.topics.declare([{ name: "more", partitions: 1 }]),
      engine.info(),
    ];
    for (const { code } of await Promise.all(calls.map(rejection))) assert.equal(code, "TIDINGS_UNREACHABLE");
    await server.start();
    await until("it is healthy again", () => engine.trouble() === undefined);
    await engine.topics.publish([entry(2)]);
    assert.deepEqual(await numbers(engine), [0, 2]);
  });

  it("what was sent and not answered is of unknown outcome, is there once or not at all, and holds what comes later", async (t) => {
    const { proxy, engine } = await throughProxy(t, { busyTimeoutMs: 300, requestTimeoutMs: 1500 });
    await engine.topics.publish([entry(0)]);
    const open = proxy.refuse();
    proxy.halfOpen("all");
    const sent = rejection(engine.topics.publish([entry(1), entry(2)]));
    await until("the engine notices", () => engine.trouble() !== undefined);
    assert.equal((await rejection(engine.topics.publish([entry(3)]))).code, "TIDINGS_UNREACHABLE");
    assert.equal((await sent).code, "TIDINGS_OUTCOME_UNKNOWN");
    open();
    await until("it is healthy again", () => engine.trouble() === undefined);
    await engine.topics.publish([entry(4)]);
    const found = await numbers(engine);
    assert.ok(["0,1,2,4", "0,4"].includes(found.join()), found.join());
  });

  it("what the caller repeats under its id is there once, whatever became of it, and conflicts with another payload", async (t) => {
    const { proxy, engine } = await throughProxy(t, { busyTimeoutMs: 300, requestTimeoutMs: 1000 });
    const own = (n: number, more = "") =>
      entry(n, { checkId: true, record: { ...entry(n).record, data: `{"n":${n}}${more}` } });
    await engine.topics.publish([own(0)]);
    const open = proxy.refuse();
    proxy.halfOpen("all");
    const sent = rejection(engine.topics.publish([own(1), own(2)]));
    await until("the engine notices", () => engine.trouble() !== undefined);
    assert.equal((await sent).code, "TIDINGS_OUTCOME_UNKNOWN");
    const again = rejection(engine.topics.publish([own(2)]));
    assert.equal((await again).code, "TIDINGS_OUTCOME_UNKNOWN");
    open();
    await until("it is healthy again", () => engine.trouble() === undefined);
    assert.deepEqual(await engine.topics.publish([own(2)]), [{ position: 2, duplicate: true }]);
    assert.deepEqual(await engine.topics.publish([own(3)]), [{ position: 3, duplicate: false }]);
    assert.equal((await rejection(engine.topics.publish([own(2, " ")]))).code, "TIDINGS_ID_CONFLICT");
    assert.deepEqual(await numbers(engine), [0, 1, 2, 3]);
  });

  it("closing does not wait for it longer than calls do", async (t) => {
    const server = await ownServer(t);
    const engine = await open(t, { url: server.url, busyTimeoutMs: 300 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await server.kill();
    await until("the engine says so", () => engine.trouble() !== undefined);
    const late = rejection(engine.topics.publish([entry(0)]));
    await engine.close();
    assert.equal((await late).code, "TIDINGS_UNREACHABLE");
    assert.equal((await rejection(engine.topics.publish([entry(1)]))).code, "TIDINGS_CLOSED");
  });

  it("an engine that is opened waits for it", async (t) => {
    const server = await ownServer(t);
    await server.kill();
    const opening = open(t, { url: server.url, busyTimeoutMs: 60_000 });
    await delay(200);
    await server.start();
    assert.equal((await opening).trouble(), undefined);
  });
});
