import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dependency, hasCode, lifecycle, service, tidings } from "tidings";
import { bench, drive, Happened, things, totalsOf } from "../support.ts";
import { api, outside, payer } from "./support.ts";

describe("operators", () => {
  it("open a breaker by hand, which nothing probes, and close it again", async () => {
    const bank = outside();
    const b = await bench([payer(bank, api())]);
    const { breakers, subscriptions } = b.app.admin;
    await drive(b.clock, breakers.open("bank-api", { reason: "maintenance" }));
    await b.feed("a", 0, 1);
    await b.clock.advance(3_600_000);
    assert.equal(bank.calls.length, 0);
    const health = await drive(b.clock, b.app.health());
    assert.deepEqual([health.status, health.subscriptions[0]?.status], ["yellow", "waiting"]);
    assert.match(health.subscriptions[0]?.reason ?? "", /waits for the circuit breaker "bank-api": maintenance/);
    const shown = await drive(b.clock, subscriptions.show("payer"));
    assert.deepEqual(
      shown.breakers.map(({ breaker, state, by, reason }) => [breaker, state, by, reason]),
      [["bank-api", "open", "app bench", "maintenance"]],
    );
    const { problems } = await drive(b.clock, b.app.admin.engine.diagnose());
    assert.ok(problems.some(({ area, code }) => area === "bank-api" && code === "TIDINGS_BREAKER_OPEN"));
    const levels = b.app.metrics().filter(({ name }) => name === "tidings.breaker.state");
    assert.deepEqual(
      levels.map(({ value }) => value),
      [1],
    );
    await drive(b.clock, breakers.close("bank-api", { reason: "done" }));
    await b.clock.advance(3000);
    assert.equal((await totalsOf(b)).handled, 2);
    await b.app.stop();
  });

  it("open a breaker until a time, from which on it is probed", async () => {
    const bank = outside();
    const b = await bench([payer(bank, api())]);
    await drive(b.clock, b.app.admin.breakers.open("bank-api", { reason: "x", untilMs: b.clock.now() + 60_000 }));
    await b.feed("a", 0);
    await b.clock.advance(50_000);
    assert.equal(bank.calls.length, 0);
    await b.clock.advance(15_000);
    assert.equal(bank.calls.length, 1);
    assert.equal((await drive(b.clock, b.app.admin.breakers.show("bank-api"))).state, "closed");
    await b.app.stop();
  });

  it("are told of a name that does not exist, and of a breaker that is closed already", async () => {
    const b = await bench([payer(outside(), api())]);
    const { breakers } = b.app.admin;
    await assert.rejects(drive(b.clock, breakers.open("bank-ap", { reason: "x" })), {
      code: "TIDINGS_NOT_FOUND",
      message: /There is no circuit breaker "bank-ap"; did you mean "bank-api"\?/,
    });
    await assert.rejects(drive(b.clock, breakers.close("bank-api", { reason: "x" })), {
      code: "TIDINGS_BREAKER_STATE",
    });
    await assert.rejects(drive(b.clock, breakers.open("bank-api", { reason: "x", untilMs: 5 })), {
      code: "TIDINGS_INVALID_OPTION",
      message: 'The time until which "bank-api" stays open must be in the future.',
    });
    await b.app.stop();
  });

  it("can subscribe to what becomes of breakers; each change is told once", async () => {
    const bank = outside();
    const heard: string[] = [];
    const listener = service("listener", { from: "start" })
      .on(lifecycle.BreakerOpened, ({ data }) => void heard.push(`opened ${data.breaker} ${data.openings}`))
      .on(lifecycle.BreakerHalfOpened, ({ data }) => void heard.push(`half-opened ${data.breaker}`))
      .on(lifecycle.BreakerClosed, ({ data }) => void heard.push(`closed ${data.breaker}: ${data.reason}`));
    const b = await bench([payer(bank, api()), listener]);
    await b.rest();
    assert.deepEqual(heard, []);
    bank.up = false;
    for (const key of ["a", "b", "c"]) await b.feed(key, 0);
    await b.clock.advance(1500);
    bank.up = true;
    await b.clock.advance(5000);
    assert.deepEqual(heard, [
      "opened bank-api 1",
      "half-opened bank-api",
      "opened bank-api 2",
      "half-opened bank-api",
      "closed bank-api: the probe succeeded",
    ]);
    await b.app.stop();
  });
});

describe("bad options", () => {
  const cases: readonly (readonly [string, () => unknown])[] = [
    ["a name with a slash", () => dependency("a/b")],
    ["an unknown option", () => dependency("a", { braker: {} } as never)],
    ["an unknown option of a breaker", () => dependency("a", { breaker: { failure: 3 } as never })],
    ["no failures at all", () => dependency("a", { breaker: { failures: 0 } })],
    ["a ratio above 1", () => dependency("a", { breaker: { ratio: 50 } })],
    ["a window without a ratio", () => dependency("a", { breaker: { windowMs: 1000 } })],
    ["a cap below the first pause", () => dependency("a", { breaker: { openMs: 1000, openMsMax: 500 } })],
    ["a predicate that is none", () => dependency("a", { breaker: { counts: true as never } })],
    ["a rate of nothing", () => dependency("a", { rate: { perSecond: 0 } })],
    ["a burst of nothing", () => dependency("a", { rate: { perSecond: 1, burst: 0 } })],
    ["neither breaker nor rate", () => dependency("a", { breaker: false })],
    ["a service's impossible breaker", () => service("s", { breaker: { failures: 1.5 } })],
    ["uses that is a name", () => service("s").on(Happened, () => undefined, { uses: ["bank-api"] as never })],
  ];
  for (const [what, make] of cases) {
    it(`are refused: ${what}`, () => {
      assert.throws(make, (error: unknown) => {
        assert.ok(hasCode(error, "TIDINGS_INVALID_OPTION") || hasCode(error, "TIDINGS_INVALID_NAME"), String(error));
        return true;
      });
    });
  }

  it("are refused: one name declared twice with different options", async () => {
    const [one, two] = [dependency("bank-api"), dependency("bank-api", { breaker: { failures: 2 } })];
    const app = tidings({
      name: "app",
      url: "memory:",
      topics: [things],
      services: [
        service("s", { uses: [one] }).on(Happened, () => undefined),
        service("t", { uses: [two] }).on(Happened, () => undefined),
      ],
    });
    await assert.rejects(app.start(), { code: "TIDINGS_INVALID_OPTION", message: /declared twice/ });
    await app.stop();
  });
});
