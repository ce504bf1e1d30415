import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { testApp } from "tidings/testing";
import { failingFirst, messageOf, OrderPlaced, orders, PaymentCaptured, payments } from "./support.ts";

describe("given", () => {
  it("is handled and no longer in the recording", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.given([OrderPlaced, { orderId: "1", total: 3 }], [PaymentCaptured, { orderId: "0" }]);
    await kit.thenState("payments", "sums", "1", 3);
    assert.deepEqual(kit.recording(), []);
    assert.deepEqual(kit.published(PaymentCaptured), []);
    await kit.thenNothing();
  });

  it("forgets what was published before, also without events", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "1", total: 3 });
    await kit.given();
    await kit.thenNothing();
  });

  it("takes publish options", async () => {
    const ids: string[] = [];
    const watcher = service("watcher").on(OrderPlaced, ({ id }) => void ids.push(id));
    await using kit = await testApp({ services: [watcher] });
    await kit.given([OrderPlaced, { orderId: "1", total: 3 }, { id: "my-id" }]);
    assert.deepEqual(ids, ["my-id"]);
  });

  it("takes data of each event's own type only", async () => {
    await using kit = await testApp({ topics: [orders] });
    // @ts-expect-error -- total is missing
    await messageOf(kit.given([OrderPlaced, { orderId: "1" }]), "TIDINGS_INVALID_PAYLOAD");
    const wrong = kit.given(
      [PaymentCaptured, { orderId: "1" }],
      [
        OrderPlaced,
        // @ts-expect-error -- total is text
        { orderId: "1", total: "3" },
      ],
    );
    await messageOf(wrong, "TIDINGS_INVALID_PAYLOAD");
  });
});

describe("when", () => {
  it("publishes, waits for what follows, and gives the event", async () => {
    await using kit = await testApp({ services: [payments()] });
    const placed = await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.equal(placed.data.total, 9);
    const [captured] = kit.published(PaymentCaptured);
    assert.equal(captured?.data.orderId, "42");
    assert.equal(captured?.causationid, placed.id);
  });

  it("runs a function, waits for what follows, and gives its result", async () => {
    await using kit = await testApp({ services: [payments()] });
    const result = await kit.when(async () => {
      await Promise.all(["1", "2"].map((orderId) => kit.app.publish(OrderPlaced, { orderId, total: 1 })));
      return "done";
    });
    assert.equal(result, "done");
    await kit.thenPublished([PaymentCaptured, { orderId: "2" }], [PaymentCaptured, { orderId: "1" }]);
  });

  it("rejects with what the function throws", async () => {
    await using kit = await testApp();
    await assert.rejects(
      kit.when(() => Promise.reject(new Error("mine"))),
      /mine/,
    );
  });
});

describe("the recording", () => {
  it("has everything in the order in which it took effect, with who published it", async () => {
    const mail = service("mail").on(PaymentCaptured, () => undefined);
    await using kit = await testApp({ name: "shop", services: [payments(), mail] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.when(OrderPlaced, { orderId: "7", total: 9 });
    assert.deepEqual(
      kit.recording().map(({ event, topic, by }) => [event.type, event.partitionkey, topic, by]),
      [
        ["shop.order.placed", "42", "orders", undefined],
        ["shop.payment.captured", "42", "orders", "payments"],
        ["shop.order.placed", "7", "orders", undefined],
        ["shop.payment.captured", "7", "orders", "payments"],
      ],
    );
  });

  it("has nothing of a handler that failed", async () => {
    const broken = service("broken").on(OrderPlaced, ({ data }, ctx) => {
      ctx.publish(PaymentCaptured, { orderId: data.orderId });
      throw new Error("after the publish");
    });
    await using kit = await testApp({ services: [broken] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenNothing();
  });

  it("does not change in the hands of who got it", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "1", total: 1 });
    const before = kit.recording();
    await kit.when(OrderPlaced, { orderId: "2", total: 1 });
    assert.equal(before.length, 2);
    assert.equal(kit.recording().length, 4);
  });
});

describe("dead letters", () => {
  it("are redriven when the handler is mended", async () => {
    const service = payments({ retry: { immediateMs: [], delayedMs: [] }, fails: failingFirst(1) });
    await using kit = await testApp({ services: [service] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.when(OrderPlaced, { orderId: "42", total: 1 });
    await kit.thenDeadLetters([{ reason: "exhausted", service: "payments", type: "shop.order.placed", key: "42" }]);
    await kit.thenNothing();
    await kit.redrive();
    await kit.thenDeadLetters([]);
    await kit.thenState("payments", "sums", "42", 10);
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }], [PaymentCaptured, { orderId: "42" }]);
  });

  it("that are redriven into another failure stay", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: -9 });
    await kit.redrive(await kit.deadLetters());
    const [letter] = await kit.deadLetters();
    assert.equal(letter?.redrives, 1);
  });

  it("cannot be redriven when nobody takes them", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: -9 });
    await kit.crash({ services: [] });
    await messageOf(kit.redrive(), "TIDINGS_NOT_FOUND");
  });
});

describe("the kit", () => {
  it("shows health, metrics and the clock of its application", async () => {
    await using kit = await testApp({ services: [payments()], startAt: "2030-05-01T10:00:00+02:00" });
    assert.equal(new Date(kit.clock.now()).toISOString(), "2030-05-01T08:00:00.000Z");
    await kit.when(OrderPlaced, { orderId: "42", total: -9 });
    assert.equal((await kit.health()).status, "yellow");
    const letters = kit.metrics().find(({ name }) => name === "tidings.dead_letters");
    assert.equal(letters?.value, 1);
  });

  it("refuses options that it does not have, and suggests the one that was meant", async () => {
    // @ts-expect-error -- no such option
    const message = await messageOf(testApp({ sed: 1 }), "TIDINGS_INVALID_OPTION");
    assert.equal(message, 'testApp() has no option "sed"; did you mean "seed"?');
    // @ts-expect-error -- the kit says where it runs
    await messageOf(testApp({ url: "sqlite:shop.db" }), "TIDINGS_INVALID_OPTION");
    await messageOf(testApp({ startAt: "yesterday" }), "TIDINGS_INVALID_OPTION");
  });

  it("passes the application's options on", async () => {
    const seen: string[] = [];
    await using kit = await testApp({
      name: "shop",
      services: [payments()],
      delivery: { retry: { immediateMs: [], delayedMs: [] } },
      use: [
        async (event, _ctx, next) => {
          seen.push(event.source);
          await next();
        },
      ],
    });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    assert.deepEqual(seen, ["/shop"]);
  });

  it("refuses everything once it is closed", async () => {
    const kit = await testApp({ services: [payments()] });
    await kit.close();
    await kit.close();
    await assert.rejects(kit.when(OrderPlaced, { orderId: "42", total: 9 }));
  });

  it("is no thenable, so that it can be awaited", async () => {
    await using kit = await testApp();
    assert.equal("then" in kit, false);
  });
});
