import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, drive, Followed, gate, Happened, totalsOf } from "../support.ts";
import { api, callIt, outside, payer } from "./support.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** The most calls in any window of this length. */
function mostIn(windowMs: number, times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));
}

describe("a shared rate", () => {
  it("lets all processes together call no more often than it says, over any window and a slice", async () => {
    const bank = outside();
    const rated = api({ breaker: false, rate: { perSecond: 50, burst: 10 } });
    const world = memoryWorld();
    const platform = virtualPlatform();
    const one = await bench([payer(bank, rated)], { world, platform, memberId: "one" });
    const two = await bench([payer(bank, rated)], { world, platform, memberId: "two" });
    await one.clock.advance(15_000);
    for (const key of range(40)) await one.feed(`k${key}`, ...range(10));
    await one.clock.advance(20_000);
    assert.equal(bank.calls.length, 400);
    const times = bank.calls.map(({ at }) => at);
    const slice = 5;
    for (const windowMs of [100, 500, 1000, 4000]) {
      const most = 10 + slice + (50 * windowMs) / 1000;
      assert.ok(mostIn(windowMs, times) <= most, `${mostIn(windowMs, times)} calls in ${windowMs} ms`);
    }
    const tookMs = (times.at(-1) as number) - (times[0] as number);
    assert.ok(tookMs < 12_000, `they took ${tookMs} ms, and 8 s would do`);
    for (const key of range(40)) {
      const numbers = bank.calls.filter((call) => call.key === `k${key}`).map(({ n }) => n);
      assert.deepEqual(numbers, range(10));
    }
    await drive(one.clock, Promise.all([one.app.stop(), two.app.stop()]));
  });

  it("asks the store for slices, and not for each event", async () => {
    const bank = outside();
    let asked = 0;
    const world = memoryWorld();
    world.fail(({ transaction }) => {
      if (transaction?.documents?.some(({ collection }) => collection === "$rate")) asked += 1;
      return undefined;
    });
    const b = await bench([payer(bank, api({ breaker: false, rate: { perSecond: 1000 } }))], { world });
    for (const key of range(50)) await b.feed(`k${key}`, ...range(20));
    await b.clock.advance(5000);
    assert.equal(bank.calls.length, 1000);
    assert.ok(asked <= 100, `${asked} slices for 1000 events`);
    await b.app.stop();
  });

  it("holds no slot while something waits, and lets handlers go on that are not limited", async () => {
    let others = 0;
    const bank = outside();
    const rated = api({ breaker: false, rate: { perSecond: 1, burst: 1 } });
    const both = service("payer", { concurrency: 1, prefetch: { events: 8 } })
      .on(
        Happened,
        ({ data }, ctx) => ctx.call(rated, () => void bank.calls.push({ at: ctx.now(), ...data, ok: true })),
        {
          uses: [rated],
        },
      )
      .on(Followed, () => void (others += 1));
    const b = await bench([both]);
    for (const key of range(30)) await b.feed(`k${key}`, 0);
    for (const n of range(30)) await drive(b.clock, b.app.publish(Followed, { key: `o${n}`, n }));
    await b.clock.advance(10_000);
    assert.equal(others, 30);
    assert.ok(bank.calls.length < 30);
    await b.clock.advance(60_000);
    assert.equal(bank.calls.length, 30);
    assert.equal((await totalsOf(b)).deadLetters, 0);
    await b.app.stop();
  });

  it("of a subscription says how many of its deliveries start", async () => {
    const times: number[] = [];
    const sink = service("sink", { rate: { perSecond: 10, burst: 1 } }).on(
      Happened,
      (_, ctx) => void times.push(ctx.now()),
    );
    const b = await bench([sink]);
    for (const key of range(20)) await b.feed(`k${key}`, 0);
    await b.clock.advance(5000);
    assert.equal(times.length, 20);
    assert.ok(mostIn(1000, times) <= 12, String(mostIn(1000, times)));
    await b.app.stop();
  });

  it("is asked when there is a slot: held events that wait for one do not come all at once", async () => {
    const bank = outside();
    bank.up = false;
    const rated = api({ breaker: false, rate: { perSecond: 50, burst: 10 } });
    const long = gate();
    const tight = payer(bank, rated, { concurrency: 1, retry: { immediateMs: [], delayedMs: [3000], jitter: "none" } });
    tight.on(Followed, () => long.opened);
    const b = await bench([tight]);
    for (const key of range(40)) await b.feed(`k${key}`, 0);
    await b.clock.advance(1500);
    assert.equal(bank.calls.length, 40);
    bank.up = true;
    await drive(b.clock, b.app.publish(Followed, { key: "long", n: 0 }));
    await b.clock.advance(10_000);
    assert.equal(bank.calls.length, 40, "there is no slot");
    long.open();
    await b.clock.advance(5000);
    const again = bank.calls.slice(40).map(({ at }) => at);
    assert.equal(again.length, 40);
    assert.ok(mostIn(100, again) <= 10 + 5 + 5, `${mostIn(100, again)} calls in 100 ms`);
    await b.app.stop();
  });

  it("takes nothing back that has lapsed: calls that were not made do not make others come faster", async () => {
    const bank = outside();
    const rated = api({ breaker: false, rate: { perSecond: 50, burst: 10 } });
    const idle = gate();
    const some = service("some", { concurrency: 100 }).on(
      Happened,
      ({ data }, ctx) => (data.key.startsWith("idle") ? idle.opened : ctx.call(rated, () => callIt(bank, data, ctx))),
      { uses: [rated] },
    );
    const b = await bench([some]);
    for (const key of range(40)) await b.feed(`idle${key}`, 0);
    await b.clock.advance(5000);
    for (const key of range(100)) await b.feed(`busy${key}`, 0);
    await b.clock.advance(1000);
    idle.open();
    await b.clock.advance(5000);
    assert.equal(bank.calls.length, 100);
    const most = mostIn(
      100,
      bank.calls.map(({ at }) => at),
    );
    assert.ok(most <= 10 + 5 + 5, `${most} calls in 100 ms`);
    await b.app.stop();
  });

  it("waits in place for the later calls of a handler, and puts back a first one that was not declared", async () => {
    const bank = outside();
    const rated = api({ breaker: false, rate: { perSecond: 2, burst: 1 } });
    let begun = 0;
    const twice = service("twice").on(Happened, async ({ data }, ctx) => {
      begun += 1;
      for (let i = 0; i < 2; i++)
        await ctx.call(rated, () => void bank.calls.push({ at: ctx.now(), ...data, ok: true }));
    });
    const b = await bench([twice]);
    await b.feed("a", 0, 1);
    await b.feed("b", 0, 1);
    await b.clock.advance(10_000);
    assert.equal(bank.calls.length, 8);
    assert.ok(begun > 4, "some were put back");
    assert.equal((await totalsOf(b)).handled, 4);
    await b.app.stop();
  });

  it("goes on when the clock is set back by an hour", async () => {
    const bank = outside();
    const b = await bench([payer(bank, api({ breaker: false, rate: { perSecond: 10, burst: 2 } }))]);
    for (const key of range(10)) await b.feed(`k${key}`, 0);
    b.clock.jump(-3_600_000);
    await b.clock.advance(5000);
    assert.equal(bank.calls.length, 10);
    await b.app.stop();
  });
});
