import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PauseError, RetryAfterError, service } from "tidings";
import { testApp } from "tidings/testing";
import { failingFirst, messageOf, OrderPlaced, PaymentCaptured, payments } from "./support.ts";

const start = Date.UTC(2026, 0, 1);

describe("virtual time", () => {
  it("stands still until it is told to go on", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.equal(kit.clock.now(), start);
  });

  for (const [duration, ms] of [
    [1500, 1500],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5h", 5_400_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
  ] as const) {
    it(`goes on by ${duration}`, async () => {
      await using kit = await testApp();
      await kit.advance(duration);
      assert.equal(kit.clock.now(), start + ms);
    });
  }

  it("is not moved by what is no span of time", async () => {
    await using kit = await testApp();
    for (const wrong of ["", "5", "5 min", "m", "-5s", -1, Number.NaN, Number.POSITIVE_INFINITY])
      await messageOf(kit.advance(wrong), "TIDINGS_INVALID_OPTION");
  });

  it("of every event is the application's", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.advance("5m");
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.equal(kit.published(PaymentCaptured)[0]?.timeMs, start + 300_000);
  });

  it("of a day passes in a few seconds", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.advance("1d");
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });
});

describe("retries", () => {
  it("are made at once, then after 50 and 250 ms of virtual time", async () => {
    const at: number[] = [];
    const tries = service("tries").on(OrderPlaced, () => {
      at.push(kit.clock.now() - start);
      throw new Error("no luck");
    });
    await using kit = await testApp({ services: [tries] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.deepEqual(at, [0, 0]);
    await kit.advance(49);
    assert.deepEqual(at, [0, 0]);
    await kit.advance(1);
    assert.deepEqual(at, [0, 0, 50]);
    await kit.advance(250);
    assert.deepEqual(at, [0, 0, 50, 300]);
  });

  it("that are delayed come at instants that the seed decides", async () => {
    const run = async (seed: number): Promise<number[]> => {
      const at: number[] = [];
      const tries = service("tries").on(OrderPlaced, () => {
        at.push(kit.clock.now() - start);
        throw new Error("no luck");
      });
      await using kit = await testApp({ services: [tries], seed });
      await kit.when(OrderPlaced, { orderId: "42", total: 9 });
      await kit.advance("2h");
      await kit.thenDeadLetters([{ reason: "exhausted", code: "Error", message: "no luck" }]);
      return at;
    };
    const first = await run(1);
    assert.equal(first.length, 9);
    const most = [0, 0, 50, 250, 5000, 30_000, 120_000, 600_000, 3_600_000];
    for (const [index, delayMs] of most.entries())
      assert.ok(first[index]! - (first[index - 1] ?? 0) <= delayMs, `try ${index} at ${first[index]}`);
    assert.deepEqual(await run(1), first);
    assert.notDeepEqual(await run(2), first);
  });

  it("without jitter come when the ladder says", async () => {
    const service = payments({
      retry: { immediateMs: [], delayedMs: [10_000, 60_000], jitter: "none" },
      fails: failingFirst(2),
    });
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.equal(service.calls.length, 1);
    await kit.advance("10s");
    assert.equal(service.calls.length, 2);
    await kit.advance("59s");
    await kit.thenNothing();
    await kit.advance("1s");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("come when the handler asked for it", async () => {
    const service = payments({ fails: (calls) => (calls === 1 ? new RetryAfterError("later", 60_000) : undefined) });
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.advance("59s");
    await kit.thenNothing();
    await kit.advance("1s");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("keep the order of a key and let other keys pass", async () => {
    const service = payments({
      fails: (calls, orderId) => (orderId === "a" && calls < 5 ? new Error("no") : undefined),
    });
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "a", total: 1 });
    await kit.when(OrderPlaced, { orderId: "a", total: 2 });
    await kit.when(OrderPlaced, { orderId: "b", total: 3 });
    await kit.thenPublished([PaymentCaptured, { orderId: "b" }]);
    await kit.advance("1m");
    await kit.thenPublished([PaymentCaptured, { orderId: "a" }], [PaymentCaptured, { orderId: "a" }]);
    await kit.thenState("payments", "sums", "a", 3);
  });

  it("come to an end behind which the key waits for a redrive", async () => {
    const totals: number[] = [];
    let broken = true;
    const service_ = service("sums").on(OrderPlaced, ({ data }) => {
      if (broken && data.total === 1) throw new Error("poison");
      totals.push(data.total);
    });
    await using kit = await testApp({ services: [service_], delivery: { retry: { immediateMs: [], delayedMs: [] } } });
    await kit.given([OrderPlaced, { orderId: "a", total: 1 }], [OrderPlaced, { orderId: "a", total: 2 }]);
    await kit.when(OrderPlaced, { orderId: "a", total: 3 });
    await kit.when(OrderPlaced, { orderId: "b", total: 4 });
    assert.deepEqual(totals, [4]);
    await kit.thenDeadLetters([{ key: "a", data: { orderId: "a", total: 1 } }]);
    broken = false;
    await kit.redrive();
    assert.deepEqual(totals, [4, 1, 2, 3]);
  });
});

describe("other waiting", () => {
  it("of a batch for company needs time to pass", async () => {
    const batches: number[][] = [];
    const batched = service("batched").onBatch(
      OrderPlaced,
      (items) => void batches.push(items.map(({ event }) => event.data.total)),
    );
    await using kit = await testApp({ services: [batched] });
    await kit.when(OrderPlaced, { orderId: "a", total: 1 });
    await kit.when(OrderPlaced, { orderId: "a", total: 2 });
    assert.deepEqual(batches, []);
    await kit.advance("10ms");
    assert.deepEqual(batches, [[1]]);
    await kit.advance("10ms");
    assert.deepEqual(batches, [[1], [2]]);
  });

  it("of a paused subscription ends when the pause does", async () => {
    const service = payments({ fails: (calls) => (calls === 1 ? new PauseError("maintenance", 60_000) : undefined) });
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.deepEqual((await kit.health()).subscriptions[0]?.reason, "maintenance");
    await kit.thenNothing();
    await kit.advance("1m");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("of a handler ends at its timeout", async () => {
    let runs = 0;
    const slow = service("slow", { timeoutMs: 30_000, retry: { immediateMs: [], delayedMs: [] } }).on(
      OrderPlaced,
      (_order, ctx) => {
        runs += 1;
        return new Promise((_, reject) =>
          ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error)),
        );
      },
    );
    await using kit = await testApp({ services: [slow], handlerTimeoutMs: 20 });
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_NOT_SETTLED");
    await kit.advance("30s");
    assert.equal(runs, 1);
    await kit.thenDeadLetters([{ code: "TIDINGS_HANDLER_TIMEOUT" }]);
  });
});
