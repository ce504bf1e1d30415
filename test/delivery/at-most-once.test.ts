import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, gate, Happened, totalsOf } from "./support.ts";

describe("at most once", () => {
  it("only what has begun is unknown after a crash, and all the rest is handled", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const never = gate();
    const runs: number[] = [];
    const make = (until: Promise<void>) =>
      service("sink", { guarantee: "at-most-once" }).on(Happened, async ({ data }) => {
        runs.push(data.n);
        await until;
      });
    const first = await bench([make(never.opened)], { world, platform, memberId: "one" });
    await first.feed("k", 0, 1, 2);
    world.crash(first.app.engine);
    const second = await bench([make(Promise.resolve())], { world, platform, memberId: "one" });
    await second.clock.advance(100);
    assert.deepEqual(runs, [0, 1, 2]);
    const totals = await totalsOf(second);
    assert.deepEqual([totals.unknown, totals.handled], [1, 2]);
    await second.app.stop();
  });

  it("a stop leaves what has not begun to the next member", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: number[] = [];
    const opened = gate();
    const make = () =>
      service("sink", { guarantee: "at-most-once" }).on(Happened, async ({ data }) => {
        await opened.opened;
        runs.push(data.n);
      });
    const first = await bench([make()], { world, platform, memberId: "one" });
    await first.feed("k", 0, 1, 2);
    const stopping = first.app.stop();
    await first.rest();
    opened.open();
    await drive(first.clock, stopping);
    assert.deepEqual(runs, [0]);
    const second = await bench([make()], { world, platform, memberId: "one" });
    await second.clock.advance(100);
    assert.deepEqual(runs, [0, 1, 2]);
    const totals = await totalsOf(second);
    assert.deepEqual([totals.unknown, totals.handled], [0, 3]);
    await second.app.stop();
  });

  it("what waited behind a paused key, or was redriven, and had begun is a dead letter after a crash, and does not begin again", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: number[] = [];
    let fails = true;
    const make = (until: Promise<void>) =>
      service("sink", { guarantee: "at-most-once" }).on(Happened, async ({ data }) => {
        runs.push(data.n);
        if (data.key === "dead" && fails) throw new Error("broken");
        await until;
      });
    const first = await bench([make(gate().opened)], { world, platform, memberId: "one" });
    await first.feed("dead", 9);
    fails = false;
    const { heldKeys, deadLetters } = first.app.admin;
    await drive(first.clock, heldKeys.pause("sink/things", "k", { reason: "not now" }));
    await first.feed("k", 0, 1);
    await drive(first.clock, heldKeys.resume("sink/things", "k"));
    await drive(first.clock, deadLetters.redrive({ subscription: "sink/things" }));
    await first.clock.advance(100);
    assert.deepEqual(runs, [9, 0, 9]);
    world.crash(first.app.engine);
    const second = await bench([make(Promise.resolve())], { world, platform, memberId: "one" });
    await second.clock.advance(15_000);
    assert.deepEqual(runs, [9, 0, 9]);
    const totals = await totalsOf(second);
    assert.deepEqual([totals.handled, totals.unknown, totals.held, totals.deadLetters], [0, 0, 3, 2]);
    const letters = await drive(second.clock, second.app.admin.deadLetters.list());
    assert.deepEqual(
      letters.map(({ failure }) => failure.code),
      ["TIDINGS_OUTCOME_UNKNOWN", "TIDINGS_OUTCOME_UNKNOWN"],
    );
    await second.app.stop();
  });

  it("what others that come to wait behind it write takes nothing back of a head that has begun", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: string[] = [];
    const slot = gate();
    const never = gate();
    const sink = (until: Promise<void>) =>
      service("sink", { guarantee: "at-most-once", concurrency: 1 }).on(Happened, async ({ data }) => {
        runs.push(`${data.key}${data.n}`);
        await (data.key === "other" ? until : data.n === 0 ? never.opened : undefined);
      });
    const first = await bench([sink(slot.opened)], { world, platform, memberId: "one" });
    const { heldKeys } = first.app.admin;
    await drive(first.clock, heldKeys.pause("sink/things", "k", { reason: "not now" }));
    await first.feed("k", 0);
    await first.feed("other", 0);
    await drive(first.clock, heldKeys.resume("sink/things", "k"));
    // While the commit that holds one is not answered, the next one waits for its turn there.
    const heal = world.fail(({ transaction }) => {
      const held = transaction?.documents?.filter(({ collection }) => collection === "$held/sink/things") ?? [];
      return held.some(({ value }) => value?.includes('"running"') !== true) ? { answerDelayMs: 100 } : undefined;
    });
    await first.feed("k", 1);
    await first.feed("k", 2);
    slot.open();
    for (let i = 0; i < 1000 && !runs.includes("k0"); i++) await first.clock.advance(1);
    await first.clock.advance(500);
    heal();
    world.crash(first.app.engine);
    const second = await bench([sink(Promise.resolve())], { world, platform, memberId: "one" });
    await second.clock.advance(15_000);
    assert.equal(runs.filter((run) => run === "k0").length, 1);
    await second.app.stop();
  });

  it("what finds its documents changed at its commit is given up, also when its key was paused meanwhile", async () => {
    const go = gate();
    let runs = 0;
    const sink = service("sink", { guarantee: "at-most-once" }).on(Happened, async (_event, ctx) => {
      runs += 1;
      const box = ctx.state<number>("box");
      const before = (await box.get("all")) ?? 0;
      await go.opened;
      box.set("all", before + 1);
    });
    const b = await bench([sink]);
    const { heldKeys, deadLetters } = b.app.admin;
    await b.feed("k", 0);
    assert.equal(runs, 1);
    await drive(b.clock, heldKeys.pause("sink/things", "k", { reason: "not now" }));
    const documents = [{ collection: "state/sink/box", key: "all", value: "7" }];
    await drive(b.clock, b.app.engine.transact!({ documents }));
    go.open();
    await b.clock.advance(1000);
    await drive(b.clock, heldKeys.resume("sink/things", "k"));
    await b.clock.advance(5000);
    assert.equal(runs, 1);
    const letters = await drive(b.clock, deadLetters.list());
    assert.deepEqual(
      letters.map(({ failure }) => failure.code),
      ["TIDINGS_CONFLICT"],
    );
    const { handled, unknown, held } = await totalsOf(b);
    assert.deepEqual([handled, unknown, held], [0, 0, 1]);
    await b.app.stop();
  });

  it("what was held does not begin without its claim", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: number[] = [];
    const sink = service("sink", { guarantee: "at-most-once" }).on(Happened, ({ data }) => void runs.push(data.n));
    const b = await bench([sink], { world, platform });
    const { heldKeys } = b.app.admin;
    await drive(b.clock, heldKeys.pause("sink/things", "k", { reason: "not now" }));
    await b.feed("k", 0);
    const heal = world.fail(({ transaction }) =>
      transaction?.documents?.some(({ value }) => value?.includes('"running"')) ? { fail: "before" } : undefined,
    );
    await drive(b.clock, heldKeys.resume("sink/things", "k"));
    await b.clock.advance(5000);
    assert.deepEqual(runs, []);
    heal();
    await b.clock.advance(5000);
    assert.deepEqual(runs, [0]);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("what waits when its key is paused is held, and counted once", async () => {
    const runs: number[] = [];
    const opened = gate();
    const sink = service("sink", { guarantee: "at-most-once" }).on(Happened, async ({ data }) => {
      if (data.n === 0) await opened.opened;
      runs.push(data.n);
    });
    const b = await bench([sink]);
    await b.feed("k", 0, 1, 2);
    const { heldKeys } = b.app.admin;
    await drive(b.clock, heldKeys.pause("sink/things", "k", { reason: "not now" }));
    opened.open();
    await b.rest();
    const held = await totalsOf(b);
    assert.deepEqual([held.handled, held.unknown, held.held], [1, 0, 2]);
    await drive(b.clock, heldKeys.resume("sink/things", "k"));
    await b.clock.advance(1000);
    assert.deepEqual(runs, [0, 1, 2]);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.unknown, totals.held], [3, 0, 0]);
    await b.app.stop();
  });

  it("a handler whose state was changed by another one becomes a dead letter and does not run again", async () => {
    let runs = 0;
    const read = gate();
    const sink = service("sink", { guarantee: "at-most-once" }).on(Happened, async ({ data }, ctx) => {
      runs += 1;
      const box = ctx.state<number>("sums");
      const before = (await box.get("all")) ?? 0;
      if (data.n === 0) await read.opened;
      box.set("all", before + 1);
    });
    const b = await bench([sink]);
    await b.feed("a", 0);
    await b.feed("b", 1);
    read.open();
    await b.rest();
    assert.equal(runs, 2);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.deadLetters, totals.unknown], [1, 1, 0]);
    await b.app.stop();
  });

  it("what waited behind a paused key and is told to stop by a stop does not begin again", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    let begun = 0;
    const make = () =>
      service("sink", { guarantee: "at-most-once" }).on(Happened, async (_, ctx) => {
        begun += 1;
        await ctx.sleep(60_000);
      });
    const first = await bench([make()], { world, platform, memberId: "one" });
    const { heldKeys } = first.app.admin;
    await drive(first.clock, heldKeys.pause("sink/things", "k", { reason: "not now" }));
    await first.feed("k", 0);
    await drive(first.clock, heldKeys.resume("sink/things", "k"));
    await first.rest();
    assert.equal(begun, 1);
    const stopping = first.app.stop({ timeoutMs: 100 });
    await first.clock.advance(5000);
    await stopping;
    const second = await bench([make()], { world, platform, memberId: "one" });
    await second.clock.advance(5000);
    assert.equal(begun, 1);
    const { deadLetters, pending } = await totalsOf(second);
    assert.deepEqual([deadLetters, pending], [1, 0]);
    await second.app.stop();
  });
});
