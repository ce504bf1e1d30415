import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";

import { FaultProxy } from "../../../scripts/chaos/proxy.ts";
import { hasCode } from "../../../src/errors/tidings-error.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { entry, numbers, open, ownServer, rejection, until, withoutRabbitmq } from "./support.ts";

/**
 * Publishes in waves that wait for nothing, until `stop`; knows what was acknowledged, and what may be there. Who asks for positions is
 * answered when an event is read back, who does not when it is confirmed.
 */
function load(
  engine: Engine,
  positions: boolean | "mixed",
): { stop(): Promise<void>; readonly acknowledged: Map<number, number>; sent(): number } {
  const acknowledged = new Map<number, number>();
  let running = true;
  let n = 0;
  const unexpected: unknown[] = [];
  const one = async (own: number): Promise<void> => {
    try {
      const [appended] = await engine.topics.publish([entry(own)], {
        positions: positions === "mixed" ? own % 40 < 20 : positions,
      });
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

/** Everything acknowledged is where it was said to be, if that was asked for, once; and all stands in the order of the calls. */
async function expectHistory(engine: Engine, acknowledged: ReadonlyMap<number, number>): Promise<void> {
  const found = await numbers(engine);
  const there = new Set(found);
  assert.equal(there.size, found.length, "nothing stands twice");
  for (const [n, position] of acknowledged)
    if (position >= 0) assert.equal(found[position], n, `${n} at ${position}`);
    else assert.ok(there.has(n), `${n} is there`);
  for (let at = 1; at < found.length; at++)
    assert.ok(found[at]! > found[at - 1]!, `${found[at - 1]} before ${found[at]}`);
}

async function throughProxy(t: TestContext, options: Parameters<typeof open>[1] = {}) {
  const server = await ownServer(t);
  const proxy = await FaultProxy.listen(server.port, t.name);
  afterwards(t, () => proxy.close());
  const url = server.url.replace(/\d+$/, String(proxy.port));
  const engine = await open(t, { url, pingIntervalMs: 1000, ...options });
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  return { server, proxy, engine };
}

describe("when the server is killed and started again", { skip: withoutRabbitmq, concurrency: 1 }, () => {
  it("nothing acknowledged is lost, nothing stands twice, and the order of the calls holds", async (t) => {
    const server = await ownServer(t);
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const running = load(engine, false);
    for (let round = 1; round <= 3; round++) {
      const before = running.acknowledged.size;
      await until("events are acknowledged", () => running.acknowledged.size > before + 1000);
      await server.kill();
      await until("the engine says so", () => engine.trouble() !== undefined);
      await server.start();
      await until("it is healthy again", () => engine.trouble() === undefined);
    }
    await running.stop();
    assert.ok(running.acknowledged.size > 3000);
    await expectHistory(engine, running.acknowledged);
    const fresh = await open(t, { url: server.url });
    await expectHistory(fresh, running.acknowledged);
    assert.deepEqual((await fresh.verify()).problems, []);
  });
});

describe("when connections break", { skip: withoutRabbitmq, concurrency: 1 }, () => {
  for (const [what, positions, inflict] of [
    ["are reset", false, (proxy: FaultProxy) => proxy.reset("all")],
    ["are reset while positions are asked for", true, (proxy: FaultProxy) => proxy.reset("all")],
    ["end in the midst of a message", "mixed", (proxy: FaultProxy) => proxy.cutAfter("all", 5000)],
    ["are half open", false, (proxy: FaultProxy) => proxy.halfOpen("all")],
  ] as const)
    it(`that ${what}, nothing acknowledged is lost, nothing stands twice, and the order of the calls holds`, async (t) => {
      const { proxy, engine } = await throughProxy(t);
      const running = load(engine, positions);
      for (let round = 0; round < 5; round++) {
        const before = running.acknowledged.size;
        await until("events are acknowledged", () => running.acknowledged.size > before + 300);
        inflict(proxy);
        await until("the engine notices", () => engine.trouble() !== undefined);
        await until("it is healthy again", () => engine.trouble() === undefined);
      }
      await running.stop();
      await expectHistory(engine, running.acknowledged);
      // None of it needed a caller: what was unknown was sent again under its id.
      assert.equal(running.acknowledged.size, running.sent());
    });

  it("a slow way brings all of it in order", async (t) => {
    const { proxy, engine } = await throughProxy(t);
    const fast = proxy.slow("all", 30, 200_000);
    const running = load(engine, true);
    await until("events are acknowledged", () => running.acknowledged.size > 200);
    proxy.reset("all");
    await until("more are acknowledged", () => running.acknowledged.size > 600);
    fast();
    await running.stop();
    await expectHistory(engine, running.acknowledged);
  });

  it("two that write to one partition lose nothing, and each one's events stand in its order", async (t) => {
    const { proxy, engine, server } = await throughProxy(t);
    const other = await open(t, { url: server.url });
    const writers = [engine, other].map((each, index) => {
      const acknowledged: string[] = [];
      const publish = async (n: number): Promise<void> => {
        const data = JSON.stringify({ n, by: index });
        await each.topics.publish([entry(n, { record: { ...entry(n).record, data } })], { positions: false });
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
    const { proxy, engine, server } = await throughProxy(t);
    const other = await open(t, { url: server.url });
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

describe("a server that has raised an alarm", { skip: withoutRabbitmq }, () => {
  it("refuses publishes with a code after their time, reading goes on, and publishing resumes when it is over", async (t) => {
    const server = await ownServer(t);
    const engine = await open(t, { url: server.url, busyTimeoutMs: 500, requestTimeoutMs: 2000 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    server.ctl("set_vm_memory_high_watermark", "0.00001");
    // The server says that it takes no publishes when it gets one: of that one nobody knows.
    assert.equal((await rejection(engine.topics.publish([entry(1)]))).code, "TIDINGS_OUTCOME_UNKNOWN");
    assert.match(engine.trouble() ?? "", /takes no publishes \(low on memory\)/);
    const refused = await rejection(engine.topics.publish([entry(2)]));
    assert.equal(refused.code, "TIDINGS_DISK_FULL");
    assert.match(refused.message, /low on memory/);
    assert.deepEqual(await numbers(engine), [0]);
    server.ctl("set_vm_memory_high_watermark", "0.4");
    await until("it is healthy again", () => engine.trouble() === undefined);
    await engine.topics.publish([entry(3)]);
    assert.deepEqual(await numbers(engine), [0, 1, 3]);
  });
});

describe("while the server is away", { skip: withoutRabbitmq, concurrency: 1 }, () => {
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
    // It was sent as well when nobody had given up the connection yet.
    const { code = "" } = await rejection(engine.topics.publish([entry(3)]));
    assert.match(code, /^TIDINGS_(UNREACHABLE|OUTCOME_UNKNOWN)$/);
    assert.equal((await sent).code, "TIDINGS_OUTCOME_UNKNOWN");
    open();
    await until("it is healthy again", () => engine.trouble() === undefined);
    await engine.topics.publish([entry(4)]);
    const found = (await numbers(engine)).join();
    const possible = code === "TIDINGS_UNREACHABLE" ? ["0,1,2,4", "0,4"] : ["0,1,2,4", "0,4", "0,1,2,3,4", "0,3,4"];
    assert.ok(possible.includes(found), found);
  });

  it("what is repeated under an id of the caller's after an unknown outcome is there once", async (t) => {
    const { proxy, engine } = await throughProxy(t, { busyTimeoutMs: 300, requestTimeoutMs: 1500 });
    const own = (n: number) => entry(n, { checkId: true });
    await engine.topics.publish([own(0)]);
    const open = proxy.refuse();
    proxy.halfOpen("all");
    const sent = rejection(engine.topics.publish([own(1), own(2)]));
    await until("the engine notices", () => engine.trouble() !== undefined);
    assert.equal((await sent).code, "TIDINGS_OUTCOME_UNKNOWN");
    open();
    const repeat = async (): Promise<unknown> => engine.topics.publish([own(1), own(2)]);
    await until("it is acknowledged", () => repeat().then(() => true, () => false)); // prettier-ignore
    assert.equal((await rejection(engine.topics.publish([entry(9), { ...own(1), record: { ...own(2).record, id: own(1).record.id } }]))).code, "TIDINGS_ID_CONFLICT"); // prettier-ignore
    assert.deepEqual(await engine.topics.publish([own(2), own(3), own(3)]), [
      { position: 2, duplicate: true },
      { position: 3, duplicate: false },
      { position: 3, duplicate: true },
    ]);
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
    const opening = open(t, { url: server.url });
    await delay(200);
    await server.start();
    assert.equal((await opening).trouble(), undefined);
  });
});
