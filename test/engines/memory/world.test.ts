import assert from "node:assert/strict";
import { test } from "node:test";
import { memory, type MemoryFault, memoryWorld } from "../../../src/engines/memory/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, dataOf, entry } from "./support.ts";

const closed = { code: "TIDINGS_CLOSED" };
const unknown = { code: "TIDINGS_OUTCOME_UNKNOWN" };

test("engines on one world share everything", async () => {
  const { world, platform, engine } = await bench();
  const other = await memory({ world }).open({ platform });
  let hints = 0;
  other.topics.watch("t", () => hints++);
  await engine.topics.publish([entry("x")]);
  await platform.clock.flush();
  assert.deepEqual(await dataOf(other), ["x"]);
  assert.equal(hints, 1);
  await engine.close();
  await other.topics.publish([entry("y")]);
  assert.deepEqual(await dataOf(other), ["x", "y"]);
});

test("one memory() opened again finds its data, another one does not", async () => {
  const platform = virtualPlatform();
  const factory = memory();
  const engine = await factory.open({ platform });
  await engine.topics.declare([{ name: "t", partitions: 1 }]);
  await engine.close();
  assert.equal((await (await factory.open({ platform })).topics.list()).length, 1);
  assert.equal((await (await memory().open({ platform })).topics.list()).length, 0);
});

test("a crash drops what was queued, keeps what took effect, and refuses what comes later", async () => {
  const { world, platform, engine } = await bench();
  await engine.transact!({ documents: [{ collection: "c", key: "k", value: "1" }], durable: false });
  const queued = engine.topics.publish([entry("never")]);
  world.crash(engine);
  await assert.rejects(queued, closed);
  await assert.rejects(engine.topics.publish([entry("late")]), closed);
  await assert.rejects(engine.state!.get("c", ["k"]), closed);
  assert.throws(() => engine.topics.watch("t", () => undefined), closed);
  assert.match(engine.trouble() ?? "", /closed/);
  await engine.close();
  const again = await memory({ world }).open({ platform });
  assert.deepEqual(await dataOf(again), []);
  assert.equal((await again.state!.get("c", ["k"]))[0]?.value, "1");
});

test("a crash between effect and answer leaves the outcome unknown", async () => {
  const { world, platform, engine } = await bench();
  world.fail(({ kind }) => (kind === "publish" ? { answerDelayMs: 100 } : undefined));
  const publishing = engine.topics.publish([entry("x", { id: "known" })]);
  await platform.clock.flush();
  world.crash(engine);
  await assert.rejects(publishing, unknown);
  const again = await memory({ world }).open({ platform });
  assert.deepEqual(await dataOf(again), ["x"]);
  const repeating = again.topics.publish([entry("x", { id: "known", checkId: true })]);
  await platform.clock.advance(100);
  assert.deepEqual(await repeating, [{ position: 0, duplicate: true }]);
});

test("a fault before the effect leaves nothing, and the error is the hook's", async () => {
  const { world, engine } = await bench();
  const stop = world.fail(({ kind }) => (kind === "transact" ? { fail: "before", error: new Error("no") } : undefined));
  await assert.rejects(engine.transact!({ publish: [entry("x")] }), /no/);
  await engine.topics.publish([entry("y")]);
  stop();
  await engine.transact!({ publish: [entry("z")] });
  assert.deepEqual(await dataOf(engine), ["y", "z"]);
});

test("a hook that throws fails the call it was asked about", async () => {
  const { world, engine } = await bench();
  const stop = world.fail(({ entries }) => {
    if (entries?.some(({ record }) => record.data === "bad")) throw new Error("bad one");
    return undefined;
  });
  const [bad, good] = await Promise.allSettled([
    engine.topics.publish([entry("bad")]),
    engine.topics.publish([entry("good")]),
  ]);
  assert.equal(bad.status, "rejected");
  assert.equal(good.status, "fulfilled");
  stop();
  assert.deepEqual(await dataOf(engine), ["good"]);
});

test("after a lost answer the event is there, and a repetition with checkId finds it, checked before or not", async () => {
  for (const checkId of [false, true]) {
    const { world, engine } = await bench();
    const faults: (MemoryFault | undefined)[] = [{ fail: "after" }];
    world.fail(({ kind }) => (kind === "publish" ? faults.shift() : undefined));
    const event = entry("x");
    await assert.rejects(engine.topics.publish([{ ...event, checkId }]), unknown);
    assert.deepEqual(await engine.topics.publish([{ ...event, checkId: true }]), [{ position: 0, duplicate: true }]);
    assert.deepEqual(await dataOf(engine), ["x"]);
  }
});

test("a delayed call holds those behind it, so that call order stands", async () => {
  const { world, platform, engine } = await bench();
  const faults: (MemoryFault | undefined)[] = [{ delayMs: 500 }];
  world.fail(({ kind }) => (kind === "publish" ? faults.shift() : undefined));
  const calls = [engine.topics.publish([entry("first")]), engine.topics.publish([entry("second")])];
  await platform.clock.advance(499);
  const third = engine.topics.publish([entry("third")]);
  const closing = engine.close();
  await platform.clock.advance(1);
  await Promise.all([...calls, third, closing]);
  const other = await memory({ world }).open({ platform });
  assert.deepEqual(await dataOf(other), ["first", "second", "third"]);
});

test("the leases of all engines go by the clock of the world", async () => {
  const { clock } = virtualPlatform();
  const world = memoryWorld({ clock });
  const skewed = virtualPlatform({ startMs: 0 });
  const engine = await memory({ world }).open({ platform: skewed });
  const [lease] = await engine.leases!.acquire([{ name: "l", owner: "a", ttlMs: 1000 }]);
  assert.equal(lease?.expiresAtMs, clock.now() + 1000);
});

test("neither what was published nor what was read can be reached from outside", async () => {
  const { engine } = await bench();
  const data = Uint8Array.of(1, 2, 3);
  const attributes = { subject: "s" };
  const event = entry(data);
  const publishing = engine.topics.publish([{ ...event, record: { ...event.record, attributes } }]);
  data.fill(9);
  attributes.subject = "changed";
  await publishing;
  const limits = { events: 1, bytes: 1 };
  const [first] = (await engine.topics.read("t", 0, 0, limits)).records;
  assert.deepEqual([...(first!.data as Uint8Array)], [1, 2, 3]);
  (first!.data as Uint8Array).fill(7);
  assert.throws(() => Object.assign(first!, { key: "other" }), TypeError);
  assert.throws(() => Object.assign(first!.attributes!, { subject: "other" }), TypeError);
  const [second] = (await engine.topics.read("t", 0, 0, limits)).records;
  assert.deepEqual([...(second!.data as Uint8Array)], [1, 2, 3]);
  assert.equal(second!.attributes?.["subject"], "s");
});

test("bytes in a Buffer are copied, too", async () => {
  const { engine } = await bench();
  const data = Buffer.from("abc");
  await engine.topics.publish([entry(data)]);
  data.fill(0);
  assert.equal(Buffer.from((await dataOf(engine))[0] as Uint8Array).toString(), "abc");
});

test("append times never go back, so that positions by time stay right when the clock does", async () => {
  const { platform, engine } = await bench();
  const start = platform.clock.now();
  for (const jump of [1000, -5000, 2000]) {
    platform.clock.jump(jump);
    await engine.topics.publish([entry("x")]);
  }
  assert.deepEqual((await engine.topics.positionsAt("t", start))[0], 0);
  assert.deepEqual((await engine.topics.positionsAt("t", start + 1001))[0], 3);
});

test("a wrong option is refused with the right one", () => {
  assert.throws(() => memory({ sead: 1 } as object), /did you mean "seed"/);
});

test("an empty topic takes little memory, whatever its partitions", async () => {
  const engine = await memory().open({ platform: systemPlatform() });
  const specs = Array.from({ length: 10_000 }, (_, i) => ({ name: `topic-${i}`, partitions: 64 }));
  const before = process.memoryUsage().heapUsed;
  await engine.topics.declare(specs);
  const bytes = (process.memoryUsage().heapUsed - before) / specs.length;
  assert.ok(bytes < 2000, `${Math.round(bytes)} bytes a topic`);
  assert.equal((await engine.info())["topics"], 10_000);
  const report = await engine.verify();
  assert.deepEqual(report, { recordsChecked: 0, problems: [] });
});

test("an observer hears of what took effect, also when the answer is lost, and not of what failed before", async () => {
  const platform = virtualPlatform();
  const world = memoryWorld();
  const engine = await world.open({ platform });
  await engine.topics.declare([{ name: "t", partitions: 1 }]);
  const seen: unknown[] = [];
  const stop = world.observe(({ kind, entries }, result) => {
    if (kind === "publish") seen.push([entries?.[0]?.record.data, result]);
  });
  await engine.topics.publish([entry("one")]);
  const heal = world.fail(({ entries }) => ({ fail: entries?.[0]?.record.data === "two" ? "after" : "before" }));
  await assert.rejects(engine.topics.publish([entry("two")]), { code: "TIDINGS_OUTCOME_UNKNOWN" });
  await assert.rejects(engine.topics.publish([entry("three")]), { code: "TIDINGS_BUSY" });
  heal();
  stop();
  await engine.topics.publish([entry("four")]);
  assert.deepEqual(seen, [
    ["one", [{ position: 0, duplicate: false }]],
    ["two", [{ position: 1, duplicate: false }]],
  ]);
});
