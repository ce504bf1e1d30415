// What changes while an answer of the store is on its way.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PauseError, service } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { sleep } from "../../src/platform/clock.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import type { State } from "../../src/ports/state.ts";
import type { Timers } from "../../src/ports/timers.ts";
import { bench, drive, gate, Happened, Ignored, totalsOf } from "./support.ts";

describe("while an answer is on its way", () => {
  it("a member that a newer definition supersedes before it has joined leaves all the same", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const seen: string[] = [];
    const sink = (epoch: number) =>
      service("sink", { epoch }).on(Happened, ({ data }) => void seen.push(`${epoch}:${data.key}`));
    let slow = true;
    world.fail(({ kind }) => (kind === "lease" && slow ? { answerDelayMs: 1000 } : undefined));
    const starting = bench([sink(1)], { world, platform, memberId: "one" });
    await platform.clock.advance(2500);
    const two = await bench([sink(2)], { world, platform, memberId: "two" });
    const one = await starting;
    slow = false;
    await platform.clock.advance(20_000);
    for (let i = 0; i < 8; i++) await two.feed(`key${i}`, 0);
    assert.deepEqual(
      seen.filter((text) => text.startsWith("1:")),
      [],
    );
    assert.equal(seen.length, 8);
    assert.match((await drive(one.clock, one.app.health())).subscriptions[0]?.reason ?? "", /epoch 2 has taken over/);
    await drive(one.clock, Promise.all([one.app.stop(), two.app.stop()]));
  });

  it("a partition that is lost and comes back while a seek waits for its handlers stays in work", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const running = gate();
    const seen: number[] = [];
    let stuck = true;
    const sink = service("sink").on(Happened, async ({ data }) => {
      if (stuck) await running.opened;
      seen.push(data.n);
    });
    const b = await bench([sink], { world, platform, memberId: "one" });
    await b.feed("k", 0);
    const sought = b.app.admin.subscriptions.seek("sink/things", "start");
    sought.catch(() => undefined);
    await b.clock.advance(100);
    const heal = world.fail(({ kind }) => (kind === "lease" ? { fail: "before" } : undefined));
    await b.clock.advance(12_000);
    heal();
    stuck = false;
    await b.clock.advance(5000);
    const owned = (await drive(b.clock, b.app.health())).subscriptions[0]?.partitions;
    running.open();
    await b.clock.advance(100);
    assert.equal((await drive(b.clock, b.app.health())).subscriptions[0]?.partitions, owned);
    assert.equal(owned, 2);
    await b.clock.advance(5000);
    await b.app.stop();
  });

  it("a partition that was given up before its start failed is no trouble of this member", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    let slow = true;
    /** Cannot read what a partition reads when it starts, and takes its time to say so. */
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const state = engine.state as State;
      const get: State["get"] = async (collection, keys) => {
        if (collection !== collections.claims || !slow) return state.get(collection, keys);
        return new Promise((_, reject) => platform.clock.after(3000, () => reject(new Error("unreadable"))));
      };
      return { ...engine, state: { ...state, get } };
    };
    const sink = () => service("sink").on(Happened, () => undefined);
    const one = await bench([sink()], { world, platform, memberId: "one", engine: { open } });
    slow = false;
    const two = await bench([sink()], { world, platform, memberId: "two" });
    await platform.clock.advance(15_000);
    const [health] = (await drive(platform.clock, one.app.health())).subscriptions;
    assert.deepEqual([health?.partitions, health?.status, health?.reason], [1, "ok", undefined]);
    await drive(platform.clock, Promise.all([one.app.stop(), two.app.stop()]));
  });

  it("a pause is not ended by a look that began before it", async () => {
    for (const late of [{ answerDelayMs: 700 }, { delayMs: 700 }]) {
      const world = memoryWorld();
      const calls: number[] = [];
      const sink = service("sink").on(Happened, () => {
        calls.push(b.clock.monotonic());
        throw new PauseError("not now", 60_000);
      });
      const b = await bench([sink], { world });
      const other = await world.open({ platform: b.platform });
      // Either the looks are answered late, or the pause is stored late; both while looks begin all the time.
      const heal = world.fail(({ kind, transaction, engine }) => {
        if (engine === other) return undefined;
        if (late.delayMs === undefined) return kind === "read" ? late : undefined;
        return transaction?.documents?.some(({ collection }) => collection === collections.controls) ? late : undefined;
      });
      const published = b.app.publish(Happened, { key: "k", n: 0 });
      // Whatever is written of another subscription brings a look about.
      const documents = [{ collection: collections.controls, key: "other/things", value: "{}" }];
      for (let i = 0; i < 100; i++) {
        void other.transact?.({ documents });
        await b.clock.advance(50);
      }
      await b.clock.advance(45_000);
      await published;
      assert.equal(calls.length, 1, JSON.stringify([late, calls]));
      heal();
      await b.clock.advance(15_000);
      assert.equal(calls.length, 2, JSON.stringify([late, calls]));
      await drive(b.clock, b.app.stop());
    }
  });

  it("a pause that cannot be stored holds all the same, and is stored as soon as it can be", async () => {
    const world = memoryWorld();
    let calls = 0;
    const sink = service("sink").on(Happened, () => {
      calls += 1;
      throw new PauseError("not now", 60_000);
    });
    const b = await bench([sink], { world });
    const heal = world.fail(({ transaction }) =>
      transaction?.documents?.some(({ collection }) => collection === collections.controls)
        ? { fail: "before" }
        : undefined,
    );
    await b.feed("k", 0);
    await b.clock.advance(10_000);
    assert.equal(calls, 1);
    heal();
    await b.clock.advance(2000);
    assert.equal((await totalsOf(b)).paused?.reason, "not now");
    await b.clock.advance(50_000);
    assert.equal(calls, 2);
    await b.app.stop();
  });

  it("a partition whose start fails while a seek lets it drain is begun by the seek alone, once it is moved", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    const seen: number[] = [];
    const sink = service("sink", { inbox: { windowMs: 60_000 } }).on(Happened, ({ data }) => void seen.push(data.n));
    const first = await bench([sink], { world, platform, memberId: "one" });
    await first.feed("k", 0);
    world.crash(first.app.engine);
    const publisher = await bench([], { world, platform, memberId: "two" });
    await publisher.app.publish(Ignored, { key: "k" });
    await publisher.feed("k", 1);
    let troubled = true;
    /** Fails a start after a second, and takes its time with a seek. */
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const state = engine.state as State;
      const timers = engine.timers as Timers;
      const scan: State["scan"] = async (collection, range) => {
        // Of a seek, not of a start.
        if (collection === collections.held("sink/things") && range.limit > 1000) await sleep(clock, 5000);
        return state.scan(collection, range);
      };
      const find: Timers["find"] = async (queue, key) => {
        if (!troubled) return timers.find(queue, key);
        await sleep(clock, 1000);
        throw new Error("unreadable");
      };
      return { ...engine, state: { ...state, scan }, timers: { ...timers, find } };
    };
    // Until the event that is filtered is committed the partition drains.
    const heal = world.fail(({ transaction }) =>
      transaction?.documents?.some(({ collection }) => collection === collections.positions)
        ? { answerDelayMs: 20_000 }
        : undefined,
    );
    const b = await bench([sink], { world, platform, memberId: "one", engine: { open } });
    heal();
    const sought = b.app.admin.subscriptions.seek("sink/things", "start");
    await clock.advance(1500);
    troubled = false;
    await clock.advance(4000);
    assert.deepEqual(seen, [0]);
    await drive(clock, sought);
    await clock.advance(100);
    assert.deepEqual(seen, [0, 0, 1]);
    await drive(clock, Promise.all([b.app.stop(), publisher.app.stop()]));
  });
});
