import assert from "node:assert/strict";
import { test } from "node:test";

import { type Fact, lifeOf } from "../../examples/shop/feed/life.ts";
import { generateOrders } from "../../examples/shop/feed/generator.ts";
import type { Order } from "../../examples/shop/feed/order.ts";
import { timelineOf } from "../../examples/shop/feed/timeline.ts";

const order: Order = {
  orderId: "a",
  customer: { city: "sao paulo", state: "SP" },
  status: "delivered",
  purchasedMs: 1000,
  approvedMs: 2000,
  carrierMs: 3000,
  deliveredMs: 4000,
  estimatedMs: 9000,
  items: [],
  payments: [{ payment: 1, type: "boleto", installments: 1, cents: 5 }],
};

const told = (facts: readonly Fact[]): [id: string, timeMs: number][] =>
  facts.map(({ publication: [, , options], timeMs }) => [options?.id ?? "", timeMs]);

test("an order's life is told in the order of the books, a payment at the time of the approval", () => {
  assert.deepEqual(told(lifeOf(order)), [
    ["a:created", 1000],
    ["a:payment:1", 2000],
    ["a:approved", 2000],
    ["a:shipped", 3000],
    ["a:delivered", 4000],
  ]);
});

test("what has no time of its own takes the latest that is known of the order", () => {
  const canceled: Order = { ...order, status: "canceled", carrierMs: 1500, deliveredMs: undefined };
  assert.deepEqual(told(lifeOf(canceled)).at(-1), ["a:canceled", 2000]);
  const invoiced: Order = {
    ...order,
    status: "invoiced",
    approvedMs: undefined,
    carrierMs: undefined,
    deliveredMs: undefined,
  };
  assert.deepEqual(told(lifeOf(invoiced)), [
    ["a:created", 1000],
    ["a:payment:1", 1000],
    ["a:invoiced", 1000],
  ]);
});

test("the books' last status has the highest step, whatever the times say", () => {
  for (const status of ["created", "approved", "processing", "shipped", "delivered", "canceled"] as const) {
    const steps = lifeOf({ ...order, status }).flatMap(({ publication: [, data, options] }) => {
      const { step } = data as { step?: number };
      return step === undefined ? [] : [{ step, id: options?.id }];
    });
    assert.deepEqual(
      steps.map(({ step }) => step),
      steps.map((_, index) => index + 1),
    );
    assert.equal(steps.at(-1)?.id, `a:${status}`);
  }
});

test("a delivery without a time is told without one", () => {
  const facts = lifeOf({ ...order, deliveredMs: undefined });
  assert.deepEqual(facts.at(-1)?.publication[1], { orderId: "a", step: 4, deliveredAt: null });
});

test("a timeline runs in event time, has every id once, and marks that say how much stands up to them", () => {
  const { facts } = timelineOf(generateOrders(300, 1), "some");
  let last = -Infinity;
  for (const { timeMs } of facts) {
    assert.ok(timeMs >= last);
    last = timeMs;
  }
  assert.equal(new Set(told(facts).map(([id]) => id)).size, facts.length);
  const marks = facts.flatMap(({ publication: [contract, data] }, index) =>
    contract.type === "shop.feed.advanced" ? [{ index, ...(data as { published: number; total: number }) }] : [],
  );
  assert.equal(marks.length, Math.ceil((facts.length - marks.length) / 500));
  for (const { index, published, total } of marks) {
    assert.equal(published, index + 1);
    assert.equal(total, facts.length);
  }
  assert.equal(marks.at(-1)?.index, facts.length - 1);
});

test("a timeline of no orders is one mark", () => {
  assert.equal(timelineOf([], "none").facts.length, 1);
});
