import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Context, hasCodeOf, service, topic } from "./imports.ts";
import { z } from "zod";
import { bench, drive, Followed, gate, Happened, totalsOf } from "./support.ts";

describe("a unit of work", () => {
  it("publishes and writes state together with the position, and nothing when the handler fails", async () => {
    let fail = true;
    const sink = service("sink", { retry: { immediateMs: [], delayedMs: [100], jitter: "none" } })
      .on(Happened, async ({ data }, ctx) => {
        const box = ctx.state<number>("sum");
        box.set(data.key, ((await box.get(data.key)) ?? 0) + data.n);
        ctx.publish(Followed, { key: data.key, n: data.n });
        if (fail) throw new Error("after the writes");
      })
      .on(Followed, () => undefined);
    const b = await bench([sink]);
    await b.feed("k", 5);
    assert.equal(await drive(b.clock, b.app.state<number>("sink", "sum").get("k")), undefined);
    fail = false;
    await b.clock.advance(200);
    assert.equal(await drive(b.clock, b.app.state<number>("sink", "sum").get("k")), 5);
    assert.equal((await drive(b.clock, b.app.totals())).published, 2);
    await b.app.stop();
  });

  it("loses no update when many keys write one document", async () => {
    const sink = service("sink").on(Happened, async ({ data }, ctx) => {
      const box = ctx.state<number>("sum");
      box.set("all", ((await box.get("all")) ?? 0) + data.n);
    });
    const b = await bench([sink]);
    await Promise.all(Array.from({ length: 40 }, (_, i) => b.feed(`key${i}`, 1, 1, 1)));
    await b.clock.advance(1000);
    assert.equal(await drive(b.clock, b.app.state<number>("sink", "sum").get("all")), 120);
    assert.equal((await totalsOf(b)).handled, 120);
    await b.app.stop();
  });

  it("sees what earlier deliveries of its key wrote", async () => {
    const seen: (number | undefined)[] = [];
    const sink = service("sink").on(Happened, async ({ data }, ctx) => {
      const box = ctx.state<number>("last");
      seen.push(await box.get(data.key));
      box.set(data.key, data.n);
      assert.equal(await box.get(data.key), data.n);
    });
    const b = await bench([sink]);
    await b.feed("k", 1, 2, 3, 4);
    assert.deepEqual(seen, [undefined, 1, 2, 3]);
    await b.app.stop();
  });

  it("hands correlation, causation, trace and tenant on", async () => {
    const effects: unknown[] = [];
    const sink = service("sink")
      .on(Happened, ({ data }, ctx) => {
        const published = ctx.publish(Followed, { key: data.key, n: data.n });
        assert.ok(Object.isFrozen(published));
      })
      .on(Followed, (event) => {
        effects.push([event.correlationid, event.causationid, event.tenantid, event.traceparent, event.source]);
      });
    const b = await bench([sink]);
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const cause = await drive(
      b.clock,
      b.app.publish(Happened, { key: "k", n: 1 }, { tenantId: "t1", traceparent: trace }),
    );
    await b.rest();
    assert.deepEqual(effects, [[cause.id, cause.id, "t1", trace, "/bench/sink"]]);
    await b.app.stop();
  });

  it("refuses app.publish inside a handler, naming ctx.publish, and allows publishNow", async () => {
    const errors: unknown[] = [];
    const sink = service("sink")
      .on(Happened, async ({ data }) => {
        await b.app.publish(Followed, { key: data.key, n: 0 }).catch((error: unknown) => errors.push(error));
        await b.app.publishNow(Followed, { key: data.key, n: 1 });
      })
      .on(Followed, () => undefined);
    const b = await bench([sink]);
    await b.feed("k", 1);
    await b.clock.advance(10);
    assert.equal(errors.length, 1);
    assert.ok(hasCodeOf(errors[0], "TIDINGS_PUBLISH_IN_HANDLER"));
    assert.match(String(errors[0]), /ctx\.publish.*publishNow/);
    assert.equal((await totalsOf(b)).handled, 2);
    await b.app.stop();
  });

  it("throws when it is used after its handler has ended", async () => {
    let kept: Context | undefined;
    const sink = service("sink").on(Happened, (_event, ctx) => {
      kept = ctx;
    });
    const b = await bench([sink]);
    await b.feed("k", 1);
    assert.throws(() => kept?.publish(Followed, { key: "k", n: 1 }), { code: "TIDINGS_HANDLER_ENDED" });
    await b.app.stop();
  });

  it("remembers the result of an outside effect over a retry", async () => {
    let effects = 0;
    let runs = 0;
    const sink = service("sink", { retry: { immediateMs: [0], delayedMs: [] } }).on(Happened, async (event, ctx) => {
      runs += 1;
      const result = await ctx.once(`mail:${event.id}`, () => ++effects);
      assert.equal(result, 1);
      if (runs === 1) throw new Error("after the effect");
    });
    const b = await bench([sink]);
    await b.feed("k", 1);
    await b.clock.advance(10);
    assert.deepEqual([runs, effects], [2, 1]);
    await b.app.stop();
  });

  it("fails with a handler that runs too long, and tells it by its signal", async () => {
    const waiting = gate();
    let aborted: unknown;
    const sink = service("sink", { timeoutMs: 1000, retry: { immediateMs: [], delayedMs: [] } }).on(
      Happened,
      async (_event, ctx) => {
        ctx.signal.addEventListener("abort", () => (aborted = ctx.signal.reason));
        await waiting.opened;
      },
    );
    const b = await bench([sink]);
    await b.feed("k", 1);
    await b.clock.advance(1100);
    assert.ok(hasCodeOf(aborted, "TIDINGS_HANDLER_TIMEOUT"));
    assert.equal((await totalsOf(b)).deadLetters, 1);
    waiting.open();
    await b.app.stop();
  });

  it("names a topic that the application does not know", async () => {
    const other = topic("elsewhere").event("other", { data: z.object({}) });
    let error: unknown;
    const sink = service("sink").on(Happened, (_event, ctx) => {
      try {
        ctx.publish(other, {});
      } catch (thrown) {
        error = thrown;
      }
    });
    const b = await bench([sink]);
    await b.feed("k", 1);
    assert.ok(hasCodeOf(error, "TIDINGS_NOT_FOUND"));
    assert.match(String(error), /elsewhere/);
    await b.app.stop();
  });
});
