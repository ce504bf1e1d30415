import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { limitRate, logDeliveries, type Logger, type Middleware, service, skipTenants } from "tidings";
import { bench, drive, Happened, totalsOf } from "../support.ts";

describe("middlewares", () => {
  it("run around the handler, the application's outermost", async () => {
    const order: string[] = [];
    const named =
      (name: string): Middleware =>
      async (_event, _ctx, next) => {
        order.push(`${name} in`);
        await next();
        order.push(`${name} out`);
      };
    const b = await bench(
      [service("sink", { use: [named("service")] }).on(Happened, () => void order.push("handler"))],
      { use: [named("app")] },
    );
    await b.feed("k", 1);
    assert.deepEqual(order, ["app in", "service in", "handler", "service out", "app out"]);
    await b.app.stop();
  });

  it("fail the delivery when they throw", async () => {
    const failing: Middleware = async () => {
      throw new Error("not today");
    };
    const b = await bench([
      service("sink", { use: [failing], retry: { immediateMs: [], delayedMs: [] } }).on(Happened, () => undefined),
    ]);
    await b.feed("k", 1);
    assert.equal((await totalsOf(b)).deadLetters, 1);
    await b.app.stop();
  });
});

describe("limitRate", () => {
  it("lets a burst begin and spreads the rest over time", async () => {
    const begun: number[] = [];
    const b = await bench([
      service("sink", { use: [limitRate({ perSecond: 10, burst: 2 })] }).on(
        Happened,
        (_event, ctx) => void begun.push(ctx.now()),
      ),
    ]);
    const startMs = b.clock.now();
    await Promise.all(["a", "b", "c", "d"].map((key) => b.feed(key, 0)));
    await b.clock.advance(1000);
    assert.deepEqual(
      begun.map((ms) => ms - startMs),
      [0, 0, 100, 200],
    );
    await b.app.stop();
  });

  it("refuses a rate that is none", () => {
    assert.throws(() => limitRate({ perSecond: 0 }), { code: "TIDINGS_INVALID_OPTION" });
  });
});

describe("skipTenants", () => {
  it("counts events of closed tenants as handled without running the handler", async () => {
    let runs = 0;
    const b = await bench([service("sink", { use: [skipTenants(["closed"])] }).on(Happened, () => void runs++)]);
    await drive(b.clock, b.app.publish(Happened, { key: "k", n: 1 }, { tenantId: "closed" }));
    await drive(b.clock, b.app.publish(Happened, { key: "k", n: 2 }, { tenantId: "open" }));
    await b.rest();
    assert.equal(runs, 1);
    assert.equal((await totalsOf(b)).handled, 2);
    await b.app.stop();
  });
});

describe("logDeliveries", () => {
  it("logs beginning and end with the event", async () => {
    const lines: string[] = [];
    const logger: Logger = {
      debug() {},
      warn() {},
      error() {},
      info: (fields, message) => void lines.push(`${message} ${String(fields["type"])}`),
    };
    const b = await bench([service("sink", { use: [logDeliveries()] }).on(Happened, () => undefined)], { logger });
    await b.feed("k", 1);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("hand")),
      ["handling begins thing.happened", "handled thing.happened"],
    );
    await b.app.stop();
  });
});

describe("middlewares around a batch handler", () => {
  it("run for each event, and fail or pass over each by itself", async () => {
    const seen: string[] = [];
    const handled: string[][] = [];
    const picky: Middleware = async (event, _ctx, next) => {
      const { key } = event.data as { key: string };
      if (key === "skipped") return;
      if (key === "refused") throw new Error("refused");
      await next().catch((error: unknown) => {
        seen.push(`${key} failed`);
        throw error;
      });
      seen.push(`${key} done`);
    };
    const sink = service("sink", { use: [picky], retry: { immediateMs: [], delayedMs: [] } }).onBatch(
      Happened,
      (items) => {
        handled.push(items.map(({ event }) => event.data.key));
        for (const item of items) if (item.event.data.key === "bad") item.fail(new Error("bad"));
      },
      { batchMax: 10, waitMs: 10 },
    );
    const b = await bench([sink]);
    await Promise.all(["good", "bad", "skipped", "refused"].map((key) => b.feed(key, 0)));
    await b.clock.advance(100);
    assert.deepEqual(handled.flat().toSorted(), ["bad", "good"]);
    assert.deepEqual(seen.toSorted(), ["bad failed", "good done"]);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.deadLetters], [2, 2]);
    await b.app.stop();
  });
});

describe("a hook that throws", () => {
  it("is logged and changes nothing", async () => {
    const warnings: string[] = [];
    const logger: Logger = {
      debug() {},
      info() {},
      error() {},
      warn: (_fields, message) => void warnings.push(message),
    };
    const onDelivery = (): never => {
      throw new Error("no tracer");
    };
    const b = await bench([service("sink").on(Happened, () => undefined)], { logger, hooks: { onDelivery } });
    await b.feed("k", 1, 2);
    assert.equal((await totalsOf(b)).handled, 2);
    assert.equal(warnings[0], "the hook onDelivery threw");
    await b.app.stop();
  });
});
