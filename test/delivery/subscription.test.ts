import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PauseError, service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import type { State } from "../../src/ports/state.ts";
import { hasCodeOf } from "./imports.ts";
import { bench, drive, Followed, gate, Happened, Ignored, totalsOf } from "./support.ts";

describe("a subscription", () => {
  it("counts events of types it has no handler for as filtered", async () => {
    const b = await bench([service("sink").on(Happened, () => undefined)]);
    await b.feed("k", 1);
    await drive(b.clock, b.app.publish(Ignored, { key: "k" }));
    await b.rest();
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.filtered, totals.pending], [1, 1, 0]);
    await b.app.stop();
  });

  it("counts events that have expired before it could handle them", async () => {
    let runs = 0;
    const world = memoryWorld();
    const platform = virtualPlatform();
    const publisher = await bench([], { world, platform });
    await drive(
      publisher.clock,
      publisher.app.publish(Happened, { key: "k", n: 1 }, { expiresAt: platform.clock.now() + 1000 }),
    );
    await platform.clock.advance(2000);
    const b = await bench([service("sink", { from: "start" }).on(Happened, () => void runs++)], { world, platform });
    await b.rest();
    assert.equal(runs, 0);
    assert.equal((await totalsOf(b)).expired, 1);
    await b.app.stop();
  });

  it("pauses by a PauseError with the event first in line, and goes on by itself", async () => {
    const seen: number[] = [];
    let fail = true;
    const b = await bench([
      service("sink").on(Happened, ({ data }) => {
        if (fail) throw new PauseError("maintenance", 60_000);
        seen.push(data.n);
      }),
    ]);
    await b.feed("k", 0, 1);
    fail = false;
    await b.feed("other", 5);
    assert.deepEqual(seen, []);
    assert.equal((await totalsOf(b)).paused?.reason, "maintenance");
    assert.equal((await drive(b.clock, b.app.health())).subscriptions[0]?.status, "paused");
    await b.clock.advance(61_000);
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      [0, 1, 5],
    );
    assert.deepEqual(
      seen.filter((n) => n < 2),
      [0, 1],
    );
    await b.app.stop();
  });

  it("that is new on a topic with events must say where it begins", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const publisher = await bench([], { world, platform });
    await publisher.feed("k", 0, 1, 2);
    await assert.rejects(bench([service("late").on(Happened, () => undefined)], { world, platform }), {
      code: "TIDINGS_SUBSCRIPTION_START",
    });
    const fromStart: number[] = [];
    const fromEnd: number[] = [];
    const b = await bench(
      [
        service("start", { from: "start" }).on(Happened, ({ data }) => void fromStart.push(data.n)),
        service("end", { from: "end" }).on(Happened, ({ data }) => void fromEnd.push(data.n)),
      ],
      { world, platform },
    );
    await b.feed("k", 3);
    assert.deepEqual([fromStart, fromEnd], [[0, 1, 2, 3], [3]]);
    await b.app.stop();
  });

  it("refuses another live definition of its epoch, and hands over to a newer epoch", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const older: number[] = [];
    const newer: number[] = [];
    const first = await bench([service("sink").on(Happened, ({ data }) => void older.push(data.n))], {
      world,
      platform,
      memberId: "one",
    });
    await first.feed("k", 0);
    const other = (epoch: number) =>
      service("sink", { epoch })
        .on(Happened, ({ data }) => void newer.push(data.n))
        .on(Followed, () => undefined);
    await assert.rejects(bench([other(1)], { world, platform, memberId: "two" }), (error: unknown) =>
      hasCodeOf(error, "TIDINGS_SUBSCRIPTION_CONFLICT"),
    );
    const second = await bench([other(2)], { world, platform, memberId: "two" });
    await second.clock.advance(15_000);
    await second.feed("k", 1);
    assert.deepEqual([older, newer], [[0], [1]]);
    await second.app.stop();
    await first.app.stop();
  });

  it("shares its partitions among members, each event handled once", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const seen: string[] = [];
    const member = (name: string) =>
      service("sink").on(Happened, ({ data }) => void seen.push(`${name}:${data.key}${data.n}`));
    const one = await bench([member("one")], { world, platform, memberId: "one" });
    const two = await bench([member("two")], { world, platform, memberId: "two" });
    await two.clock.advance(15_000);
    for (let i = 0; i < 20; i++) await two.feed(`key${i}`, 0, 1);
    assert.equal(seen.length, 40);
    assert.ok(seen.some((name) => name.startsWith("one:")) && seen.some((name) => name.startsWith("two:")));
    assert.equal((await totalsOf(two)).handled, 40);
    await one.app.stop();
    await two.clock.advance(1000);
    await two.feed("after", 0);
    assert.ok(seen.at(-1)?.startsWith("two:"));
    await two.app.stop();
  });

  it("starts again what could not be started while its group was joining for longer than a second", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const seen: string[] = [];
    let failedAtMs: number | undefined;
    const nowMs = (): number => platform.clock.monotonic();
    /** Cannot read what a partition reads when it starts, for half a second. */
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const get: State["get"] = async (collection, keys) => {
        if (collection === "$claim" && nowMs() - (failedAtMs ??= nowMs()) < 500) throw new Error("unreadable");
        return (engine.state as State).get(collection, keys);
      };
      return { ...engine, state: { ...(engine.state as State), get } };
    };
    const heal = world.fail(({ kind }) => (kind === "lease" ? { answerDelayMs: 600 } : undefined));
    const member = (memberId: string) =>
      bench([service("sink").on(Happened, ({ data }) => void seen.push(data.key))], {
        world,
        platform,
        memberId,
        engine: { open },
      });
    // Each makes the other look at the group once more, before it has joined.
    const [one, two] = await Promise.all([member("one"), member("two")]);
    assert.ok(nowMs() - (failedAtMs ?? nowMs()) > 1000, "the group joined too soon");
    heal();
    await platform.clock.advance(5000);
    for (let i = 0; i < 8; i++) await one.feed(`key${i}`, 0);
    assert.equal(seen.length, 8);
    assert.equal((await totalsOf(one)).handled, 8);
    await one.app.stop();
    await two.app.stop();
  });

  it("drains running handlers at stop and commits what they did", async () => {
    const waiting = gate();
    const world = memoryWorld();
    const platform = virtualPlatform();
    const sink = () =>
      service("sink").on(Happened, async ({ data }, ctx) => {
        await waiting.opened;
        ctx.state<number>("box").set(data.key, data.n);
      });
    const b = await bench([sink()], { world, platform });
    await b.feed("k", 7);
    const stopping = b.app.stop();
    await b.rest();
    waiting.open();
    await drive(b.clock, stopping);
    const again = await bench([sink()], { world, platform });
    assert.equal(await drive(again.clock, again.app.state<number>("sink", "box").get("k")), 7);
    assert.equal((await totalsOf(again)).handled, 1);
    await again.app.stop();
  });

  it("gives up at the deadline of stop, tells handlers to abort, and delivers again later", async () => {
    const never = gate();
    let aborted = false;
    const world = memoryWorld();
    const platform = virtualPlatform();
    const b = await bench(
      [
        service("sink").on(Happened, async (_event, ctx) => {
          ctx.signal.addEventListener("abort", () => (aborted = true));
          await never.opened;
        }),
      ],
      { world, platform, drainTimeoutMs: 500, memberId: "one" },
    );
    await b.feed("k", 1);
    await drive(b.clock, b.app.stop());
    assert.equal(aborted, true);
    const seen: number[] = [];
    const again = await bench([service("sink").on(Happened, ({ data }) => void seen.push(data.n))], {
      world,
      platform,
      memberId: "one",
    });
    await again.clock.advance(12_000);
    assert.deepEqual(seen, [1]);
    await again.app.stop();
  });

  it("stops on its AbortSignal", async () => {
    const controller = new AbortController();
    const b = await bench([service("sink").on(Happened, () => undefined)], { signal: controller.signal });
    controller.abort();
    await b.clock.advance(1000);
    await assert.rejects(b.app.publish(Happened, { key: "k", n: 1 }), { code: "TIDINGS_NOT_STARTED" });
  });

  it("is not stuck in the eyes of health when an event has just come after a long time without any", async () => {
    const waiting = gate();
    const sink = service("sink", { timeoutMs: 3_600_000 }).on(Happened, ({ data }) =>
      data.n === 1 ? waiting.opened : undefined,
    );
    const b = await bench([sink], { stuckAfterMs: 30_000 });
    await b.feed("k", 0);
    await b.clock.advance(600_000);
    await b.feed("k", 1);
    await b.clock.advance(5000);
    assert.equal((await drive(b.clock, b.app.health())).status, "green");
    await b.clock.advance(30_000);
    assert.equal((await drive(b.clock, b.app.health())).subscriptions[0]?.status, "stuck");
    await drive(b.clock, b.app.admin.subscriptions.pause("sink/things", { reason: "looking" }));
    await b.clock.advance(600_000);
    await drive(b.clock, b.app.admin.subscriptions.resume("sink/things"));
    await b.clock.advance(5000);
    assert.equal((await drive(b.clock, b.app.health())).status, "green");
    waiting.open();
    await b.app.stop();
  });

  it("is stuck in the eyes of health when it has lag and makes no progress", async () => {
    const never = gate();
    const b = await bench([service("sink", { timeoutMs: 3_600_000 }).on(Happened, () => never.opened)], {
      stuckAfterMs: 30_000,
    });
    await b.feed("k", 1);
    assert.equal((await drive(b.clock, b.app.health())).status, "green");
    await b.clock.advance(31_000);
    const health = await drive(b.clock, b.app.health());
    assert.deepEqual([health.status, health.subscriptions[0]?.status], ["red", "stuck"]);
    never.open();
    await b.rest();
    await b.app.stop();
  });

  it("drops an event published twice within the window of its inbox, and parks the same identity with another payload", async () => {
    const seen: number[] = [];
    const world = memoryWorld();
    const platform = virtualPlatform();
    // A short deduplication window at publish lets the topic hold duplicates.
    const b = await bench(
      [service("sink", { inbox: { windowMs: 3_600_000 } }).on(Happened, ({ data }) => void seen.push(data.n))],
      {
        world,
        platform,
        deduplicationWindowMs: 1000,
      },
    );
    const publish = (n: number) => drive(b.clock, b.app.publish(Happened, { key: "k", n }, { id: "same" }));
    await publish(1);
    await b.clock.advance(5000);
    await publish(1);
    await b.clock.advance(5000);
    await publish(2);
    await b.rest();
    assert.deepEqual(seen, [1]);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.filtered, totals.deadLetters], [1, 1, 1]);
    await b.app.stop();
  });
});

describe("at most once", () => {
  it("never runs an event twice: a failure is a dead letter, a crash an unknown outcome", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: number[] = [];
    const never = gate();
    const sink = () =>
      service("sink", { guarantee: "at-most-once" }).on(Happened, async ({ data }) => {
        runs.push(data.n);
        if (data.n === 1) throw new Error("once is enough");
        if (data.n === 2) await never.opened;
      });
    const b = await bench([sink()], { world, platform, memberId: "one" });
    await b.feed("a", 0);
    await b.feed("b", 1);
    await b.feed("c", 2);
    world.crash(b.app.engine);
    const again = await bench([sink()], { world, platform, memberId: "one" });
    await again.clock.advance(12_000);
    assert.deepEqual(runs, [0, 1, 2]);
    const totals = await totalsOf(again);
    assert.deepEqual([totals.handled, totals.deadLetters, totals.unknown, totals.pending], [1, 1, 1, 0]);
    await again.app.stop();
  });
});

describe("a batch handler", () => {
  it("gets several events at once, and only the items that fail are tried again", async () => {
    const batches: string[][] = [];
    const failing = new Set(["b"]);
    const b = await bench([
      service("sink", { retry: { immediateMs: [], delayedMs: [1000], jitter: "none" } }).onBatch(
        Happened,
        (items) => {
          batches.push(items.map(({ event }) => `${event.data.key}${event.data.n}`));
          for (const item of items) {
            if (failing.delete(item.event.data.key)) item.fail(new Error("not this one"));
            else item.ctx.state<number>("done").set(`${item.event.data.key}${item.event.data.n}`, 1);
          }
        },
        { batchMax: 10, waitMs: 20 },
      ),
    ]);
    await Promise.all(["a", "b", "c"].map((key) => b.feed(key, 0)));
    await b.feed("b", 1);
    await b.clock.advance(100);
    assert.equal(batches[0]?.length, 3);
    await b.clock.advance(2000);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.held], [4, 0]);
    const order = batches.flat().filter((name) => name.startsWith("b"));
    assert.deepEqual(order, ["b0", "b0", "b1"]);
    await b.app.stop();
  });

  it("does not get what waited for company when its partition is lost", async () => {
    const world = memoryWorld();
    const sizes: number[] = [];
    const b = await bench(
      [service("sink").onBatch(Happened, (items) => void sizes.push(items.length), { batchMax: 10, waitMs: 30_000 })],
      { world },
    );
    await b.feed("a", 0);
    const heal = world.fail(({ kind }) => (kind === "lease" ? { fail: "before" } : undefined));
    await b.clock.advance(20_000);
    heal();
    assert.deepEqual(sizes, []);
    await b.clock.advance(60_000);
    assert.deepEqual(sizes, [1]);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });
});
