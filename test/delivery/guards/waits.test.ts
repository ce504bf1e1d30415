// How long something waits at a guard, and what that costs it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { Outcomes } from "../../../src/delivery/guards/outcomes.ts";
import { virtualClock } from "../../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "../support.ts";
import { api, callIt, outside, payer } from "./support.ts";

describe("what waits at a guard", () => {
  it("waits no longer than the breaker was opened for when the clock was set back meanwhile", async () => {
    const bank = outside();
    const b = await bench([payer(bank, api())]);
    bank.up = false;
    await b.feed("k", 0);
    await b.clock.advance(300);
    assert.equal(bank.calls.length, 3);
    b.clock.jump(-3_600_000);
    bank.up = true;
    await b.clock.advance(5000);
    assert.equal((await totalsOf(b)).handled, 1);
    await drive(b.clock, b.app.stop());
  });

  it("grows no older by that: its retries go on where they were", async () => {
    const bank = outside();
    const called = api({ breaker: { failures: 2, openMs: 30_000 } });
    let ownFault = true;
    const retry = { immediateMs: [0], delayedMs: [100, 100], jitter: "none", maxAgeMs: 5000 } as const;
    const sink = service("payer", { retry }).on(
      Happened,
      async ({ data }, ctx) => {
        await ctx.call(called, () => callIt(bank, data, ctx));
        if (ownFault) {
          ownFault = false;
          throw new Error("not the bank");
        }
      },
      { uses: [called] },
    );
    const b = await bench([sink]);
    bank.up = false;
    await b.feed("k", 0);
    bank.up = true;
    await b.clock.advance(60_000);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.deadLetters, ownFault], [1, 0, false]);
    await drive(b.clock, b.app.stop());
  });

  it("gives its token back when its handler has not called what it uses", async () => {
    const rated = api({ breaker: false, rate: { perSecond: 1, burst: 1 } });
    let runs = 0;
    const b = await bench([service("payer").on(Happened, () => void runs++, { uses: [rated] })]);
    for (const key of ["a", "b", "c", "d", "e"]) await b.feed(key, 0);
    await b.clock.advance(100);
    assert.equal(runs, 5);
    await drive(b.clock, b.app.stop());
  });
});

describe("the outcomes of calls", () => {
  it("trip a breaker when more than the share of those within the window have failed", async () => {
    const clock = virtualClock();
    const outcomes = new Outcomes({ ratio: 0.5, minimum: 4, windowMs: 1000 }, clock);
    outcomes.succeeded();
    outcomes.succeeded();
    assert.deepEqual([outcomes.failed(), outcomes.failed()], [undefined, undefined], "as many as that are not more");
    assert.match(outcomes.failed() ?? "", /3 of 5 calls failed within 1000 ms/);
    await clock.advance(1100);
    for (let i = 0; i < 3; i++) assert.equal(outcomes.failed(), undefined, "what is older does not count");
    assert.match(outcomes.failed() ?? "", /4 of 4 calls/);
  });
});
