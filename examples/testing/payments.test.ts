// How a user tests services: node --test examples/testing/payments.test.ts
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError, topic } from "tidings";
import { testApp } from "tidings/testing";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const OrderCanceled = orders.event("shop.order.canceled", { data: z.object({ orderId: z.string() }) });
const PaymentCaptured = orders.event("shop.payment.captured", {
  data: z.object({ orderId: z.string(), total: z.number() }),
});
const PaymentRefunded = orders.event("shop.payment.refunded", {
  data: z.object({ orderId: z.string(), total: z.number() }),
});

/** The service under test, with the bank it talks to. */
function makePayments(bank: { charge(orderId: string, total: number): void }) {
  return service("payments")
    .on(OrderPlaced, (order, ctx) => {
      const { orderId, total } = order.data;
      if (total < 0) throw new TerminalError(`the order ${orderId} has a negative total`);
      bank.charge(orderId, total);
      ctx.state<number>("captured").set(orderId, total);
      ctx.publish(PaymentCaptured, { orderId, total });
    })
    .on(OrderCanceled, async (order, ctx) => {
      const captured = ctx.state<number>("captured");
      const total = await captured.get(order.data.orderId);
      if (total === undefined) return;
      captured.delete(order.data.orderId);
      ctx.publish(PaymentRefunded, { orderId: order.data.orderId, total });
    });
}

const friendlyBank = { charge: () => undefined };

describe("payments", () => {
  it("are captured for an order", async () => {
    await using kit = await testApp({ services: [makePayments(friendlyBank)] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42", total: 9 }]);
    await kit.thenState("payments", "captured", "42", 9);
  });

  it("are refunded when the order is canceled, once", async () => {
    await using kit = await testApp({ services: [makePayments(friendlyBank)] });
    await kit.given([OrderPlaced, { orderId: "42", total: 9 }]);
    await kit.when(OrderCanceled, { orderId: "42" });
    await kit.when(OrderCanceled, { orderId: "42" });
    await kit.thenPublished([PaymentRefunded, { orderId: "42", total: 9 }]);
    await kit.thenState("payments", "captured", "42", undefined);
  });

  it("of an order with a negative total are a dead letter, and hold nobody else up", async () => {
    await using kit = await testApp({ services: [makePayments(friendlyBank)] });
    await kit.when(OrderPlaced, { orderId: "42", total: -9 });
    await kit.when(OrderPlaced, { orderId: "43", total: 9 });
    await kit.thenDeadLetters([{ reason: "terminal", key: "42" }]);
    await kit.thenPublished([PaymentCaptured, { orderId: "43", total: 9 }]);
  });

  it("wait while the bank is closed, with what comes later for the same order", async () => {
    let open = false;
    const bank = {
      charge() {
        if (!open) throw new Error("the bank is closed");
      },
    };
    await using kit = await testApp({ services: [makePayments(bank)] });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.when(OrderCanceled, { orderId: "42" });
    await kit.advance("1s");
    await kit.thenNothing();
    open = true;
    await kit.advance("1m");
    await kit.thenPublished(
      [PaymentCaptured, { orderId: "42", total: 9 }],
      [PaymentRefunded, { orderId: "42", total: 9 }],
    );
  });

  it("are captured once when the process dies before its commit, though the bank hears of them twice", async () => {
    const charged: string[] = [];
    const bank = { charge: (orderId: string) => void charged.push(orderId) };
    await using kit = await testApp({ services: [makePayments(bank)] });
    await kit.crash({ at: "before-commit" });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 });
    await kit.thenPublished([PaymentCaptured, { orderId: "42", total: 9 }]);
    assert.deepEqual(charged, ["42", "42"]);
  });
});
