import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { collections } from "../../../src/delivery/records.ts";
import { partitionOf } from "../../../src/event/partitioner.ts";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, drive, Happened } from "../support.ts";
import { api, callIt, outside, payer, stored, succeededInOrder } from "./support.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** So many keys of a partition. */
const keysOf = (partition: number, count: number): string[] =>
  range(100)
    .map((n) => `key${n}`)
    .filter((key) => partitionOf(key, 2) === partition)
    .slice(0, count);

describe("a guard at which many wait", () => {
  it("wakes none that waited for a partition that was given up: who is woken takes what is there", async () => {
    const bank = outside();
    const rated = () => api({ breaker: false, rate: { perSecond: 2, burst: 1 } });
    const world = memoryWorld();
    const platform = virtualPlatform();
    const one = await bench([payer(bank, rated())], { world, platform, memberId: "one" });
    for (const key of range(60)) await one.feed(`k${key}`, 0);
    const two = await bench([payer(outside(), rated())], { world, platform, memberId: "two" });
    await platform.clock.advance(4000);
    await drive(platform.clock, two.app.stop());
    await platform.clock.advance(1000);
    const before = bank.calls.length;
    await platform.clock.advance(10_000);
    const calls = bank.calls.length - before;
    assert.ok(calls >= 18, `${calls} calls in ten seconds, of which 20 were allowed`);
    const waiting = one.app.metrics().find(({ name }) => name === "tidings.guard.waiting");
    assert.equal(waiting?.value, 60 - bank.calls.length);
    await drive(platform.clock, one.app.stop());
  });

  it("has its probe back when the delivery that was to be it has to wait for an earlier one, at most once", async () => {
    const bank = outside();
    const world = memoryWorld();
    const platform = virtualPlatform();
    const called = api({ breaker: { failures: 3, openMs: 1000 } });
    const sink = service("payer", { guarantee: "at-most-once" }).on(
      Happened,
      async ({ data }, ctx) => {
        await ctx.state("box").get("shared");
        await ctx.call(called, () => callIt(bank, data, ctx));
      },
      { uses: [called] },
    );
    const b = await bench([sink], { world, platform });
    const other = await world.open({ platform });
    const documents = [{ collection: collections.state("payer", "box"), key: "shared", value: "1" }];
    const heal = world.fail(({ transaction, engine }) => {
      if (engine === other || !transaction?.checks?.some(({ key }) => key === "shared")) return undefined;
      // Its commit conflicts, and is answered when the breaker is half-open already.
      void other.transact?.({ documents });
      return { answerDelayMs: 2000, delayMs: 1 };
    });
    const [k, ...others] = keysOf(0, 1).concat(keysOf(1, 3));
    await b.feed(k as string, 0);
    bank.up = false;
    for (const key of others) await b.feed(key, 0);
    await b.feed(k as string, 1);
    bank.up = true;
    await b.clock.advance(4500);
    heal();
    await b.clock.advance(60_000);
    assert.equal((await stored(b)).state, "closed");
    assert.deepEqual(succeededInOrder(bank, k as string), [0, 1]);
    await b.app.stop();
  });

  it("has its probe back when the partition of the delivery that was to be it is lost, at most once", async () => {
    const bank = outside();
    const world = memoryWorld();
    const platform = virtualPlatform();
    const called = api({ breaker: { failures: 3, openMs: 1000, openMsMax: 1000 } });
    const sink = service("payer", { guarantee: "at-most-once" }).on(
      Happened,
      ({ data }, ctx) => ctx.call(called, () => callIt(bank, data, ctx)),
      { uses: [called] },
    );
    const b = await bench([sink], { world, platform });
    const other = await world.open({ platform });
    bank.up = false;
    const keys = keysOf(0, 12);
    for (const key of keys) await b.feed(key, 0);
    assert.equal((await stored(b)).state, "open");
    bank.up = true;
    let settling = 0;
    const heal = world.fail(({ transaction, engine }) => {
      if (engine === other || !transaction?.documents?.some(({ collection }) => collection === collections.positions))
        return undefined;
      settling += 1;
      return { delayMs: 60_000 };
    });
    for (let ms = 0; ms < 3000 && settling === 0; ms += 10) await b.clock.advance(10);
    assert.equal(settling, 1, "nobody was let through as the probe");
    const held = (await other.leases?.list("partition/")) ?? [];
    await other.leases?.release(held);
    await b.clock.advance(20_000);
    heal();
    await b.clock.advance(60_000);
    assert.equal((await stored(b)).state, "closed");
    const totals = await b.app.totals();
    assert.equal(totals.subscriptions[0]?.pending, 0);
    await b.app.stop();
  });

  it("lets no suspect through as its probe that has to wait for one before it", async () => {
    const bank = outside();
    const world = memoryWorld();
    const platform = virtualPlatform();
    const sink = () =>
      payer(bank, api({ breaker: { failures: 3, openMs: 1000, openMsMax: 1000 } }), { inbox: { windowMs: 100_000 } });
    const one = await bench([sink()], { world, platform, memberId: "one" });
    const two = await bench([sink()], { world, platform, memberId: "two" });
    await platform.clock.advance(15_000);
    bank.up = false;
    const [k = "", ...others] = keysOf(0, 1).concat(keysOf(1, 6));
    for (const key of others) await two.feed(key, 0);
    await one.feed(k, ...range(12));
    // Each look at the inbox takes its time, so that the breaker changes between two suspects of one key.
    const heal = world.fail(({ kind }) => (kind === "read" ? { answerDelayMs: 130 } : undefined));
    world.crash(one.app.engine);
    await platform.clock.advance(20_000);
    heal();
    bank.up = true;
    await platform.clock.advance(60_000);
    assert.equal((await stored(two)).state, "closed");
    assert.deepEqual(succeededInOrder(bank, k), range(12));
    await drive(platform.clock, two.app.stop());
  });
});
