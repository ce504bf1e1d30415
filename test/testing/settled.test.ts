import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { service } from "tidings";
import { testApp } from "tidings/testing";
import { failingFirst, messageOf, OrderPlaced, PaymentCaptured, PaymentRefused, payments } from "./support.ts";

const never = (): Promise<void> => new Promise(() => undefined);

describe("settled", () => {
  it("comes at once where nothing happens", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.settled();
  });

  it("waits for handlers that await something real", async () => {
    const real = service("real").on(OrderPlaced, async ({ data }, ctx) => {
      await sleep(30);
      await readFile(import.meta.filename);
      const box = ctx.state<number>("box");
      await box.get("x");
      await sleep(30);
      ctx.publish(PaymentCaptured, { orderId: data.orderId });
    });
    await using kit = await testApp({ services: [real] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
    assert.equal(kit.clock.now(), Date.UTC(2026, 0, 1));
  });

  it("waits for middleware that awaits something real around the handler", async () => {
    await using kit = await testApp({
      services: [payments()],
      use: [
        async (_event, _ctx, next) => {
          await sleep(20);
          await next();
          await sleep(20);
        },
      ],
    });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("waits for such handlers also on the way of advance", async () => {
    const slow = payments({ retry: { immediateMs: [], delayedMs: [1000] }, fails: failingFirst(1) });
    const real = service("real").on(PaymentCaptured, async ({ data }, ctx) => {
      await sleep(20);
      ctx.publish(PaymentRefused, { orderId: data.orderId });
    });
    await using kit = await testApp({ services: [slow, real] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.advance("20m");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }], [PaymentRefused, { orderId: "42" }]);
  });

  it("does not wait for what needs time, and expectations show what that is", async () => {
    const service = payments({
      retry: { immediateMs: [], delayedMs: [60_000], jitter: "none" },
      fails: failingFirst(1),
    });
    await using kit = await testApp({ services: [service] });
    await kit.given([OrderPlaced, { orderId: "42", total: 9 }], [OrderPlaced, { orderId: "42", total: 1 }]);
    assert.equal(
      await messageOf(kit.thenPublished([PaymentCaptured, { orderId: "42" }]), "TIDINGS_EXPECTATION_FAILED"),
      `Handlers did not publish what was expected (- missing, + not expected, ~ different, ! out of order):
  - shop.payment.captured {"orderId":"42"}
Outstanding:
  subscription     partition  position  key  event              state
  payments/orders  0          0         42   shop.order.placed  held until 2026-01-01T00:01:00.000Z (failed once: no luck (1)), 1 behind it`,
    );
  });

  it("shows who has not ended and who waits behind", async () => {
    const stuck = service("stuck").on(OrderPlaced, never);
    await using kit = await testApp({ services: [stuck], handlerTimeoutMs: 20 });
    const publishing = kit.given(
      [OrderPlaced, { orderId: "42", total: 9 }],
      [OrderPlaced, { orderId: "42", total: 1 }],
    );
    assert.equal(
      await messageOf(publishing, "TIDINGS_NOT_SETTLED"),
      `The application did not come to rest: a handler has not ended within 20 ms of real time. One that waits for virtual time needs kit.advance(); one that is slow for a reason needs testApp({ handlerTimeoutMs }).
  subscription  partition  position  key  event              state
  stuck/orders  0          0         42   shop.order.placed  running
  stuck/orders  0          1         42   shop.order.placed  waiting`,
    );
  });

  it("waits once for a handler that does not end", async () => {
    const stuck = service("stuck").on(OrderPlaced, never);
    await using kit = await testApp({ services: [stuck], handlerTimeoutMs: 200 });
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_NOT_SETTLED");
    const startedAt = performance.now();
    await messageOf(kit.settled(), "TIDINGS_NOT_SETTLED");
    assert.ok(performance.now() - startedAt < 200);
  });

  it("counts real time only while the event loop is free, so that a breakpoint costs nothing", async () => {
    const blocking = service("blocking").on(OrderPlaced, async () => {
      await sleep(1);
      const until = performance.now() + 300;
      while (performance.now() < until);
      await sleep(1);
    });
    await using kit = await testApp({ services: [blocking], handlerTimeoutMs: 100 });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
  });

  it("ends where handlers answer each other for ever, and says so", async () => {
    const ping = service("ping").on(OrderPlaced, ({ data }, ctx) => void ctx.publish(PaymentCaptured, data));
    const pong = service("pong").on(
      PaymentCaptured,
      ({ data }, ctx) => void ctx.publish(OrderPlaced, { orderId: data.orderId, total: 0 }),
    );
    await using kit = await testApp({ services: [ping, pong], turnsMax: 2000 });
    const message = await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_NOT_SETTLED");
    assert.match(
      message,
      /^The application did not come to rest: after 2000 turns of the event loop there is still something to do, with no time passing\. Do handlers answer each other\? The last events were shop\.\S+, shop\.\S+\.(\n|$)/,
    );
  });

  it("comes also where a handler that never ends is told to stop by its timeout", async () => {
    const stuck = service("stuck", { timeoutMs: 1000, retry: { immediateMs: [], delayedMs: [] } }).on(
      OrderPlaced,
      never,
    );
    await using kit = await testApp({ services: [stuck], handlerTimeoutMs: 20 });
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_NOT_SETTLED");
    await messageOf(kit.advance("1s"), "TIDINGS_NOT_SETTLED");
    assert.equal((await kit.deadLetters()).length, 1);
  });
});
