import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Context, dependency, hasCode, service, TerminalError } from "tidings";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, drive, Followed, Happened, totalsOf } from "../support.ts";
import { api, callIt, outside, payer, stored, succeededInOrder } from "./support.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("a circuit breaker", () => {
  it("opens after so many failures in a row, and starts nothing that uses the dependency while it is open", async () => {
    const bank = outside();
    const b = await bench([payer(bank, api())]);
    bank.up = false;
    await b.feed("a", 0, 1);
    await b.feed("b", 0);
    await b.feed("c", 0);
    const { state, reason } = await stored(b);
    assert.equal(state, "open");
    assert.match(reason, /3 times in a row: connection refused/);
    const calls = bank.calls.length;
    await b.feed("d", 0);
    await b.clock.advance(400);
    assert.equal(bank.calls.length, calls);
    await b.app.stop();
  });

  it("burns no attempt, parks nothing and holds no slot however long it is open; then all go on in order", async () => {
    const bank = outside();
    const retry = { immediateMs: [0], delayedMs: [200, 400], jitter: "none", maxAgeMs: 10_000 } as const;
    const b = await bench([payer(bank, api(), { concurrency: 2, retry })]);
    bank.up = false;
    for (const key of ["a", "b", "c", "d", "e"]) await b.feed(key, ...range(4));
    await b.clock.advance(1_800_000);
    const waiting = await totalsOf(b);
    assert.equal(waiting.deadLetters, 0);
    const { subscriptions } = await drive(b.clock, b.app.health());
    assert.equal(subscriptions[0]?.running, 0);
    bank.up = true;
    await b.clock.advance(20_000);
    for (const key of ["a", "b", "c", "d", "e"]) assert.deepEqual(succeededInOrder(bank, key), range(4));
    const { handled, held } = await totalsOf(b);
    assert.deepEqual([handled, held], [20, 0]);
    await b.app.stop();
  });

  it("lets one probe through at a time, with pauses that double up to a cap", async () => {
    const bank = outside();
    const b = await bench([payer(bank, api())]);
    bank.up = false;
    for (const key of ["a", "b", "c", "d", "e", "f"]) await b.feed(key, 0);
    const before = bank.calls.length;
    const openedAt = b.clock.now();
    await b.clock.advance(20_000);
    const probes = bank.calls.slice(before).map(({ at }) => Math.round((at - openedAt) / 100) / 10);
    assert.deepEqual(probes, [1, 3, 7, 11, 15, 19]);
    assert.ok(new Set(bank.calls.slice(before).map(({ key }) => key)).size > 3, "probes take turns");
    await b.app.stop();
  });

  it("is shared: what one process finds out another one heeds, and one of them probes", async () => {
    const bank = outside();
    const world = memoryWorld();
    const platform = virtualPlatform();
    const one = await bench([payer(bank, api())], { world, platform, memberId: "one" });
    const two = await bench([payer(bank, api())], { world, platform, memberId: "two" });
    await one.clock.advance(15_000);
    bank.up = false;
    for (const key of range(12)) await one.feed(`k${key}`, 0);
    await one.clock.advance(50);
    const before = bank.calls.length;
    await one.clock.advance(840);
    assert.equal(bank.calls.length, before);
    const open = await Promise.all([one, two].map(({ app, clock }) => drive(clock, app.health())));
    assert.deepEqual(
      open.map(({ status, breakers }) => [status, breakers.map(({ breaker, state }) => `${breaker} ${state}`)]),
      [
        ["yellow", ["bank-api open"]],
        ["yellow", ["bank-api open"]],
      ],
    );
    await one.clock.advance(200);
    assert.equal(bank.calls.length, before + 1);
    bank.up = true;
    await one.clock.advance(3000);
    for (const key of range(12)) assert.deepEqual(succeededInOrder(bank, `k${key}`), [0]);
    await drive(one.clock, Promise.all([one.app.stop(), two.app.stop()]));
  });

  it("is probed by another process when the one that probes dies", async () => {
    const bank = outside();
    const world = memoryWorld();
    const platform = virtualPlatform();
    const hang = { is: false };
    const bankApi = api();
    const make = (handle: (data: { key: string; n: number }, ctx: Context) => Promise<void> | void) =>
      service("payer", { retry: { immediateMs: [0], delayedMs: [] }, timeoutMs: 600_000 }).on(
        Happened,
        ({ data }, ctx) => ctx.call(bankApi, () => handle(data, ctx)),
        { uses: [bankApi] },
      );
    const dying = make(async (data, ctx) => {
      if (hang.is) await new Promise(() => undefined);
      callIt(bank, data, ctx);
    });
    const one = await bench([dying], { world, platform, memberId: "one" });
    bank.up = false;
    for (const key of ["a", "b", "c"]) await one.feed(key, 0);
    assert.equal((await stored(one)).state, "open");
    hang.is = true;
    await one.clock.advance(1500);
    assert.equal((await stored(one)).state, "half-open");
    world.fail(({ engine }) => (engine === one.app.engine ? { fail: "before", error: new Error("dead") } : undefined));
    bank.up = true;
    const two = await bench([make((data, ctx) => callIt(bank, data, ctx))], { world, platform, memberId: "two" });
    await two.clock.advance(60_000);
    assert.equal((await stored(two)).state, "closed");
    for (const key of ["a", "b", "c"]) assert.deepEqual(succeededInOrder(bank, key), [0]);
    await drive(two.clock, two.app.stop());
  });

  it("is not kept open by a store that refuses to write for a while, or does not say whether it has", async () => {
    for (const fail of ["before", "after"] as const) {
      const bank = outside();
      const world = memoryWorld();
      const b = await bench([payer(bank, api())], { world });
      let failures = 0;
      world.fail(({ transaction }) => {
        const isBreaker = transaction?.documents?.some(({ collection }) => collection === "$breaker");
        return isBreaker && failures++ % 3 !== 2 ? { fail, error: new Error("the answer is lost") } : undefined;
      });
      bank.up = false;
      for (const key of ["a", "b", "c", "d"]) await b.feed(key, 0);
      await b.clock.advance(5000);
      bank.up = true;
      await b.clock.advance(30_000);
      assert.ok(failures > 3);
      assert.equal((await stored(b)).state, "closed");
      assert.equal((await totalsOf(b)).handled, 4);
      await b.app.stop();
    }
  });

  it("opens by the share of failures in a window, from a least number of calls on", async () => {
    const bank = outside();
    const options = { breaker: { ratio: 0.5, minimum: 6, windowMs: 10_000, openMs: 1000 } };
    const b = await bench([
      payer(bank, api(options), { retry: { immediateMs: [], delayedMs: [] }, onFailure: "skipAhead" }),
    ]);
    const states: string[] = [];
    for (const [n, up] of [true, false, true, false, false, false].entries()) {
      bank.up = up;
      await b.feed(`k${n}`, n);
      states.push((await stored(b)).state);
    }
    assert.deepEqual(states, ["closed", "closed", "closed", "closed", "closed", "open"]);
    assert.match((await stored(b)).reason, /4 of 6 calls failed within 10000 ms/);
    await b.app.stop();
  });

  it("does not count what tells of the event: terminal errors, and whatever its options leave out", async () => {
    const kinds = [
      { error: () => new TerminalError("account closed"), options: { failures: 1 } },
      {
        error: () => new Error("404"),
        options: { failures: 1, counts: (error: unknown) => (error as Error).message !== "404" },
      },
    ];
    for (const { error, options } of kinds) {
      const bankApi = dependency("bank-api", { breaker: options });
      const payments = service("payer", { retry: { immediateMs: [], delayedMs: [] } }).on(
        Happened,
        ({ data }, ctx) =>
          ctx.call(bankApi, () => {
            if (data.n === 0) throw error();
          }),
        { uses: [bankApi] },
      );
      const b = await bench([payments]);
      await b.feed("a", 0);
      await b.feed("b", 0);
      assert.equal((await stored(b)).state, "closed");
      assert.equal((await totalsOf(b)).deadLetters, 2);
      await b.app.stop();
    }
  });

  it("lets deliveries wait that call without having said so, and counts no attempt", async () => {
    const bank = outside();
    const attempts: number[] = [];
    const bankApi = api();
    const payments = service("payer").on(Happened, async ({ data }, ctx) => {
      attempts.push(ctx.attempt);
      await ctx.call(bankApi, () => callIt(bank, data, ctx));
    });
    const b = await bench([payments]);
    bank.up = false;
    for (const key of ["a", "b", "c", "d"]) await b.feed(key, 0, 1);
    await b.clock.advance(600_000);
    bank.up = true;
    await b.clock.advance(20_000);
    for (const key of ["a", "b", "c", "d"]) assert.deepEqual(succeededInOrder(bank, key), [0, 1]);
    assert.ok(Math.max(...attempts) <= 3, String(attempts));
    assert.equal((await totalsOf(b)).handled, 8);
    await b.app.stop();
  });

  it("tells a handler that catches it, which may do something else instead", async () => {
    const bank = outside();
    const bankApi = api({ breaker: { failures: 1, openMs: 60_000 } });
    const fallbacks: number[] = [];
    const payments = service("payer", { retry: { immediateMs: [], delayedMs: [], jitter: "none" } }).on(
      Happened,
      async ({ data }, ctx) => {
        try {
          await ctx.call(bankApi, () => callIt(bank, data, ctx));
        } catch (error) {
          if (!hasCode(error, "TIDINGS_BREAKER_OPEN")) throw error;
          fallbacks.push(data.n);
        }
      },
    );
    const b = await bench([payments]);
    bank.up = false;
    await b.feed("a", 1);
    await b.feed("b", 2);
    assert.deepEqual(fallbacks, [2]);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("lets handlers that do not use the dependency go on, however much waits for it", async () => {
    const bank = outside();
    const bankApi = api();
    let others = 0;
    const both = service("payer", { prefetch: { events: 16 } })
      .on(Happened, ({ data }, ctx) => ctx.call(bankApi, () => callIt(bank, data, ctx)), { uses: [bankApi] })
      .on(Followed, () => void (others += 1));
    const b = await bench([both]);
    bank.up = false;
    for (const key of range(20)) await b.feed(`k${key}`, ...range(5));
    for (const key of range(20)) await drive(b.clock, b.app.publish(Followed, { key: `o${key}`, n: 0 }));
    await b.clock.advance(30_000);
    assert.equal(others, 20);
    assert.equal((await totalsOf(b)).deadLetters, 0);
    bank.up = true;
    await b.clock.advance(60_000);
    for (const key of range(20)) assert.deepEqual(succeededInOrder(bank, `k${key}`), range(5), `k${key}`);
    const { handled, held } = await totalsOf(b);
    assert.deepEqual([handled, held], [120, 0]);
    await b.app.stop();
  });

  it("lets the items of a batch wait, also those that have not called yet", async () => {
    const bank = outside();
    const bankApi = api();
    const attempts: number[] = [];
    const batches = service("payer", { retry: { immediateMs: [0], delayedMs: [50, 50, 50], jitter: "none" } }).onBatch(
      Happened,
      async (items) => {
        for (const { event, ctx } of items) {
          attempts.push(ctx.attempt);
          await ctx.call(bankApi, () => callIt(bank, event.data, ctx));
        }
      },
      { batchMax: 5 },
    );
    const b = await bench([batches]);
    bank.up = false;
    for (const key of range(5)) await b.feed(`k${key}`, 0, 1);
    await b.clock.advance(600_000);
    assert.equal((await totalsOf(b)).deadLetters, 0);
    bank.up = true;
    await b.clock.advance(30_000);
    for (const key of range(5)) assert.deepEqual([...new Set(succeededInOrder(bank, `k${key}`))], [0, 1]);
    assert.ok(Math.max(...attempts) <= 5, String(Math.max(...attempts)));
    assert.equal((await totalsOf(b)).handled, 10);
    await b.app.stop();
  });

  it("starts nothing at most once either, and lets a redrive wait", async () => {
    for (const guarantee of ["at-most-once", "exactly-once"] as const) {
      const bank = outside();
      const broken = { is: true };
      const bankApi = api();
      const payments = service("payer", { guarantee }).on(
        Happened,
        ({ data }, ctx) => {
          if (broken.is) throw new TerminalError("not yet");
          return ctx.call(bankApi, () => callIt(bank, data, ctx));
        },
        { uses: [bankApi] },
      );
      const b = await bench([payments]);
      const { breakers, deadLetters } = b.app.admin;
      await b.feed("a", 0);
      assert.equal((await totalsOf(b)).deadLetters, 1);
      broken.is = false;
      await drive(b.clock, breakers.open("bank-api", { reason: "maintenance" }));
      await drive(b.clock, deadLetters.redrive({}));
      await b.feed("b", 0, 1);
      await b.clock.advance(60_000);
      assert.deepEqual([bank.calls.length, (await totalsOf(b)).unknown], [0, 0]);
      await drive(b.clock, breakers.close("bank-api", { reason: "done" }));
      await b.clock.advance(10_000);
      const { handled, deadLetters: left } = await totalsOf(b);
      assert.deepEqual([handled, left], [3, 0]);
      await b.app.stop();
    }
  });

  it("of a subscription opens by what becomes of its deliveries; a failed probe counts as an attempt", async () => {
    const broken = { is: true };
    const sink = service("sink", {
      breaker: { failures: 3, openMs: 1000 },
      retry: { immediateMs: [0, 0], delayedMs: [100, 100, 100], jitter: "none" },
    }).on(Happened, ({ data }) => {
      if (broken.is || data.n === 13) throw new Error("broken");
    });
    const b = await bench([sink]);
    await b.feed("a", 0);
    await b.clock.advance(10);
    assert.equal((await stored(b, "sink/things")).state, "open");
    await b.feed("b", 13);
    broken.is = false;
    await b.clock.advance(600_000);
    assert.equal((await stored(b, "sink/things")).state, "closed");
    const { handled, deadLetters } = await totalsOf(b);
    assert.deepEqual([handled, deadLetters], [1, 1], "an event that always fails does not keep it open for ever");
    await b.app.stop();
  });
});
