import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { service } from "tidings";
import { testApp } from "tidings/testing";
import { messageOf, OrderPlaced, orders, PaymentCaptured, PaymentRefused, payments } from "./support.ts";

const header = "Handlers did not publish what was expected (- missing, + not expected, ~ different, ! out of order):";

describe("thenPublished", () => {
  it("shows what is missing, what differs and what nobody expected", async () => {
    const answers = service("answers").on(OrderPlaced, ({ data }, ctx) => {
      ctx.publish(PaymentCaptured, { orderId: data.orderId, total: data.total });
      ctx.publish(PaymentRefused, { orderId: data.orderId });
    });
    await using kit = await testApp({ services: [answers] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    const expectation = kit.thenPublished(
      [PaymentCaptured, { orderId: "42", total: 10 }],
      [OrderPlaced, { orderId: "42", total: 9 }],
    );
    assert.equal(
      await messageOf(expectation, "TIDINGS_EXPECTATION_FAILED"),
      `${header}
  ~ shop.payment.captured {"orderId":"42","total":10} differs:
      data.total is 9, expected 10
  - shop.order.placed {"orderId":"42","total":9}
  + shop.payment.refused {"orderId":"42"} by answers`,
    );
  });

  it("shows what stands in another order within a key, and lets keys be in any order", async () => {
    const answers = service("answers").on(OrderPlaced, ({ data }, ctx) => {
      ctx.publish(PaymentRefused, { orderId: data.orderId });
      ctx.publish(PaymentCaptured, { orderId: data.orderId });
    });
    await using kit = await testApp({ services: [answers] });
    await kit.when(OrderPlaced, { orderId: "a", total: 9 });
    await kit.when(OrderPlaced, { orderId: "b", total: 9 });
    const wrong = kit.thenPublished(
      [PaymentCaptured, { orderId: "a" }],
      [PaymentRefused, { orderId: "a" }],
      [PaymentRefused, { orderId: "b" }],
      [PaymentCaptured, { orderId: "b" }],
    );
    assert.equal(
      await messageOf(wrong, "TIDINGS_EXPECTATION_FAILED"),
      `${header}
  ! shop.payment.captured of key a came after shop.payment.refused, and should have come before it`,
    );
    await kit.thenPublished(
      [PaymentRefused, { orderId: "b" }],
      [PaymentCaptured, { orderId: "b" }],
      [PaymentRefused, { orderId: "a" }],
      [PaymentCaptured, { orderId: "a" }],
    );
  });

  it("takes an event without data for any data", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await messageOf(kit.thenPublished([PaymentCaptured], [PaymentCaptured]), "TIDINGS_EXPECTATION_FAILED");
    await kit.thenPublished([PaymentCaptured]);
  });

  it("counts what it has seen as seen, and keeps it when it fails", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "1", total: 1 });
    await messageOf(kit.thenNothing(), "TIDINGS_EXPECTATION_FAILED");
    await kit.thenPublished([PaymentCaptured, { orderId: "1" }]);
    await kit.thenNothing();
    await kit.when(OrderPlaced, { orderId: "2", total: 1 });
    await kit.thenPublished([PaymentCaptured, { orderId: "2" }]);
    assert.equal(kit.published(PaymentCaptured).length, 2);
  });

  it("does not speak of what was published from outside", async () => {
    await using kit = await testApp({ topics: [orders] });
    await kit.when(PaymentCaptured, { orderId: "1" });
    await kit.thenNothing();
  });

  it("compares what was on the wire", async () => {
    const answers = service("answers").on(OrderPlaced, ({ data }, ctx) => {
      ctx.publish(PaymentCaptured, { orderId: data.orderId, total: undefined });
    });
    await using kit = await testApp({ services: [answers] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42" }]);
  });

  it("takes data of each event's own type only", async () => {
    await using kit = await testApp({ topics: [orders] });
    // @ts-expect-error -- the id is text
    await messageOf(kit.thenPublished([PaymentCaptured, { orderId: 42 }]), "TIDINGS_EXPECTATION_FAILED");
  });
});

describe("thenNothing", () => {
  it("shows what was published", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "1", total: 1 });
    assert.equal(
      await messageOf(kit.thenNothing(), "TIDINGS_EXPECTATION_FAILED"),
      `Handlers published something (- missing, + not expected, ~ different, ! out of order):
  + shop.payment.captured {"orderId":"1"} by payments`,
    );
  });
});

describe("thenState", () => {
  it("shows where a document differs", async () => {
    const keeper = service("keeper").on(OrderPlaced, ({ data }, ctx) => {
      ctx.state("orders").set(data.orderId, { items: [{ sku: "a", count: 1 }], total: data.total, note: "hello" });
    });
    await using kit = await testApp({ services: [keeper] });
    await kit.when(OrderPlaced, { orderId: "1", total: 1 });
    const expectation = kit.thenState("keeper", "orders", "1", {
      items: [{ sku: "a", count: 2 }],
      total: 1,
      paid: true,
    });
    assert.equal(
      await messageOf(expectation, "TIDINGS_EXPECTATION_FAILED"),
      `The document keeper/orders/1 is not as expected:
  it.items[0].count is 1, expected 2
  it.paid is absent, expected true
  it.note is "hello", expected absent`,
    );
    await kit.thenState("keeper", "orders", "1", { note: "hello", items: [{ count: 1, sku: "a" }], total: 1 });
  });

  it("takes undefined for no document", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.thenState("payments", "sums", "1", undefined);
    await kit.when(OrderPlaced, { orderId: "1", total: 1 });
    assert.equal(
      await messageOf(kit.thenState("payments", "sums", "1", undefined), "TIDINGS_EXPECTATION_FAILED"),
      `The document payments/sums/1 is not as expected:
  it is 1, expected absent`,
    );
    assert.equal(
      await messageOf(kit.thenState("payments", "sums", "2", [1]), "TIDINGS_EXPECTATION_FAILED"),
      `The document payments/sums/2 is not as expected:
  it is absent, expected [1]`,
    );
  });
});

describe("thenDeadLetters", () => {
  it("shows what is missing and what nobody expected", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.when(OrderPlaced, { orderId: "1", total: -1 });
    assert.equal(
      await messageOf(kit.thenDeadLetters([{ reason: "exhausted", key: "1" }]), "TIDINGS_EXPECTATION_FAILED"),
      `The dead letters are not as expected (- missing, + not expected):
  - {"reason":"exhausted","key":"1"}
  + terminal: shop.order.placed of key 1 in payments/orders: TerminalError: the total is negative
Outstanding:
  subscription     partition  position  key  event              state
  payments/orders  3          0         1    shop.order.placed  dead letter (failed once: the total is negative)`,
    );
    await messageOf(kit.thenDeadLetters([]), "TIDINGS_EXPECTATION_FAILED");
    await messageOf(kit.thenDeadLetters([{ key: "1" }, {}]), "TIDINGS_EXPECTATION_FAILED");
    await kit.thenDeadLetters([{ service: "payments", topic: "orders", message: "the total is negative" }]);
  });

  it("lets a vague expectation take what a particular one leaves", async () => {
    await using kit = await testApp({ services: [payments()] });
    await kit.given([OrderPlaced, { orderId: "1", total: -1 }], [OrderPlaced, { orderId: "2", total: -1 }]);
    await kit.thenDeadLetters([{ reason: "terminal" }, { reason: "terminal", key: "1" }]);
  });
});
