import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PauseError, service, type Service } from "tidings";
import { type CrashPoint, testApp } from "tidings/testing";
import { failingFirst, messageOf, OrderPlaced, PaymentCaptured, PaymentRefused, payments } from "./support.ts";

const points: readonly CrashPoint[] = ["before-handler", "before-commit", "after-commit"];

describe("a crash", () => {
  it("loses nothing that was committed", async () => {
    const service = payments();
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.crash();
    assert.equal(kit.crashes, 1);
    await kit.thenState("payments", "sums", "42", 9);
    await kit.when(OrderPlaced, { orderId: "42", total: 1 });
    await kit.thenState("payments", "sums", "42", 10);
    assert.equal(service.calls.length, 2);
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }], [PaymentCaptured, { orderId: "42" }]);
  });

  it("ends the application that was there", async () => {
    await using kit = await testApp({ services: [payments()] });
    const { app } = kit;
    await kit.crash();
    assert.notEqual(kit.app, app);
    await assert.rejects(app.publish(OrderPlaced, { orderId: "42", total: 9 }));
  });

  it("keeps delayed retries, which come at their instants", async () => {
    const service = payments({
      retry: { immediateMs: [], delayedMs: [60_000], jitter: "none" },
      fails: failingFirst(1),
    });
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.advance("30s");
    await kit.crash();
    await kit.advance("29s");
    await kit.thenNothing();
    await kit.advance("1s");
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("keeps dead letters", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: -1 });
    await kit.crash();
    await kit.thenDeadLetters([{ reason: "terminal", key: "42", code: "TerminalError" }]);
  });

  it("in the midst of a handler makes it run again, and its first run has no effect", async () => {
    const gates: (() => void)[] = [];
    const waiting = service("waiting").on(OrderPlaced, async ({ data }, ctx) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      ctx.publish(PaymentCaptured, { orderId: data.orderId });
    });
    await using kit = await testApp({ services: [waiting], handlerTimeoutMs: 20 });
    await messageOf(kit.when(OrderPlaced, { orderId: "42", total: 9 }), "TIDINGS_NOT_SETTLED");
    await messageOf(kit.crash(), "TIDINGS_NOT_SETTLED");
    assert.equal(gates.length, 2);
    gates[0]?.();
    await messageOf(kit.settled(), "TIDINGS_NOT_SETTLED");
    gates[1]?.();
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  for (const at of points) {
    it(`${at.replace("-", " a ")} leaves state and publishes exactly once`, async () => {
      const service = payments();
      await using kit = await testApp({ services: [service] });
      await kit.crash({ at });
      assert.equal(kit.crashes, 0);
      await kit.when(OrderPlaced, { orderId: "42", total: 9 });
      assert.equal(kit.crashes, 1);
      assert.deepEqual(service.calls, at === "before-commit" ? ["42", "42"] : ["42"]);
      await kit.thenState("payments", "sums", "42", 9);
      await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
      await kit.when(OrderPlaced, { orderId: "42", total: 1 });
      assert.equal(kit.crashes, 1);
      await kit.thenState("payments", "sums", "42", 10);
    });

    it(`${at.replace("-", " a ")} of a delayed retry leaves state and publishes exactly once`, async () => {
      const service = payments({ retry: { immediateMs: [], delayedMs: [5000] }, fails: failingFirst(1) });
      await using kit = await testApp({ services: [service] });
      await kit.when(OrderPlaced, { orderId: "42", total: 9 });
      await kit.when(OrderPlaced, { orderId: "42", total: 1 });
      await kit.when(OrderPlaced, { orderId: "7", total: 1 });
      await kit.crash({ at });
      await kit.advance("5s");
      assert.equal(kit.crashes, 1);
      await kit.advance("5s");
      await kit.thenState("payments", "sums", "42", 10);
      await kit.thenPublished(
        [PaymentCaptured, { orderId: "42" }],
        [PaymentCaptured, { orderId: "42" }],
        [PaymentCaptured, { orderId: "7" }],
      );
    });

    it(`${at.replace("-", " a ")} of a batch leaves state and publishes exactly once`, async () => {
      const batched = service("batched").onBatch(OrderPlaced, async (items) => {
        for (const { event, ctx } of items) {
          const sums = ctx.state<number>("sums");
          sums.set(event.data.orderId, ((await sums.get(event.data.orderId)) ?? 0) + event.data.total);
          ctx.publish(PaymentCaptured, { orderId: event.data.orderId });
        }
      });
      await using kit = await testApp({ services: [batched] });
      await kit.crash({ at });
      await kit.when(async () => {
        for (const orderId of ["a", "b", "c"]) await kit.app.publish(OrderPlaced, { orderId, total: 2 });
      });
      await kit.advance("1s");
      assert.equal(kit.crashes, 1);
      for (const orderId of ["a", "b", "c"]) await kit.thenState("batched", "sums", orderId, 2);
      await kit.thenPublished(...["a", "b", "c"].map((orderId) => [PaymentCaptured, { orderId }] as const));
    });

    it(`${at.replace("-", " a ")} in the midst of many events leaves every sum right`, async () => {
      for (let seed = 1; seed <= 10; seed++) {
        await using kit = await testApp({ services: [payments()], seed });
        await kit.crash({ at, times: 3 });
        await kit.when(async () => {
          const all = Array.from({ length: 60 }, (_, n) => ({ orderId: String(n % 7), total: n }));
          await kit.app.publishAll(all.map((data) => [OrderPlaced, data] as const));
        });
        assert.equal(kit.crashes, 3);
        for (let key = 0; key < 7; key++) {
          const sum = Array.from({ length: 60 }, (_, n) => n).reduce((all, n) => (n % 7 === key ? all + n : all), 0);
          await kit.thenState("payments", "sums", String(key), sum);
        }
        assert.equal(kit.published(PaymentCaptured).length, 60, `seed ${seed}`);
      }
    });
  }

  it("happens only where it was meant to", async () => {
    const refusals = service("refusals").on(PaymentRefused, () => undefined);
    await using kit = await testApp({ services: [payments(), refusals] });
    await kit.crash({ at: "before-commit", service: "refusals" });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.equal(kit.crashes, 0);
    await kit.when(PaymentRefused, { orderId: "42" });
    assert.equal(kit.crashes, 1);
    await kit.crash({ at: "before-handler", event: PaymentRefused });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.equal(kit.crashes, 1);
    await kit.when(PaymentRefused, { orderId: "42" });
    assert.equal(kit.crashes, 2);
  });

  it("that an event causes again and again ends with it as a dead letter, and the others go on", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.crash({ at: "before-handler", event: OrderPlaced, times: 4 });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenDeadLetters([{ reason: "stalled", key: "42" }]);
    assert.equal(kit.crashes, 4);
    await kit.when(OrderPlaced, { orderId: "7", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "7" }]);
  });

  it("leaves a key in order when a suspect of it pauses the subscription", async () => {
    let pauses = true;
    const handled: number[] = [];
    const sink = service("sink").on(OrderPlaced, ({ data }) => {
      if (pauses) throw new PauseError("maintenance", 1000);
      handled.push(data.total);
    });
    await using kit = await testApp({ services: [sink] });
    await kit.crash({ at: "before-handler" });
    await kit.given(...[1, 2, 3].map((total) => [OrderPlaced, { orderId: "42", total }] as const));
    assert.equal(kit.crashes, 1);
    pauses = false;
    await kit.advance("1s");
    assert.deepEqual(handled, [1, 2, 3]);
  });

  it("under a held event is not held against those that wait for their turn to run alone", async () => {
    let fails = true;
    const sink = service("sink", { retry: { immediateMs: [], delayedMs: [1000], jitter: "none" } }).on(
      OrderPlaced,
      () => {
        if (fails) throw new Error("not yet");
      },
    );
    await using kit = await testApp({ services: [sink], partitions: 1 });
    await kit.given(...["a", "b", "c"].map((orderId) => [OrderPlaced, { orderId, total: 1 }] as const));
    fails = false;
    await kit.crash({ at: "before-handler", times: 4 });
    await kit.advance("1s");
    assert.equal(kit.crashes, 4);
    // Four deaths are enough to give one of the three up, and not more.
    assert.ok((await kit.deadLetters()).length <= 1);
  });

  it("leaves no gaps that keep a partition from being fetched", async () => {
    let pauses = true;
    const handled: number[] = [];
    const sink = service("sink", { prefetch: { events: 1 } }).on(OrderPlaced, ({ data }) => {
      if (pauses) throw new PauseError("maintenance", 1000);
      handled.push(data.total);
    });
    await using kit = await testApp({ services: [sink], partitions: 1 });
    await kit.crash({ at: "before-handler" });
    const filtered = Array.from({ length: 10 }, () => [PaymentRefused, { orderId: "42" }] as const);
    await kit.given([OrderPlaced, { orderId: "42", total: 1 }], ...filtered);
    await kit.restart();
    pauses = false;
    await kit.advance("1s");
    assert.deepEqual(handled, [1]);
  });

  it("while commits are delayed is waited out in virtual time", async () => {
    await using kit = await testApp({ services: [payments()] });
    kit.fail("commit", { times: 4 });
    await kit.given(...[1, 2, 3].map((total) => [OrderPlaced, { orderId: "42", total }] as const));
    await kit.crash();
    await kit.advance("2s");
    await kit.thenState("payments", "sums", "42", 6);
  });

  it("at no such point is refused", async () => {
    await using kit = await testApp({ services: [payments()] });
    // @ts-expect-error -- no such point
    await messageOf(kit.crash({ at: "lunch" }), "TIDINGS_INVALID_OPTION");
  });
});

describe("other services", () => {
  const mended = (): Service =>
    service("payments", { epoch: 2 })
      .on(
        OrderPlaced,
        ({ data }, ctx) => void ctx.publish(PaymentCaptured, { orderId: data.orderId, total: data.total }),
      )
      .on(PaymentRefused, () => undefined);

  it("go on after a crash where the first ones were", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.crash({ services: [mended()] });
    await kit.when(OrderPlaced, { orderId: "7", total: 3 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }], [PaymentCaptured, { orderId: "7", total: 3 }]);
  });

  it("take up what a crash before the commit has left", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.crash({ at: "before-commit", services: [mended()] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42", total: 9 }]);
  });

  it("follow in a deploy without a crash", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.restart({ services: [mended()] });
    assert.equal(kit.crashes, 0);
    await kit.when(OrderPlaced, { orderId: "7", total: 3 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }], [PaymentCaptured, { orderId: "7", total: 3 }]);
  });

  it("that are new must say where they begin, as in production", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    const mail = (from?: "start"): Service =>
      service("mail", from ? { from } : {}).on(PaymentCaptured, ({ data }, ctx) => {
        ctx.publish(PaymentRefused, { orderId: data.orderId });
      });
    await messageOf(kit.restart({ services: [mail()] }), "TIDINGS_SUBSCRIPTION_START");
    await kit.crash({ services: [mail("start")] });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }], [PaymentRefused, { orderId: "42" }]);
  });
});
