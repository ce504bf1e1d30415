import assert from "node:assert/strict";
import { test } from "node:test";

import { orderStatuses } from "../../examples/shop/events.ts";
import { generateOrders } from "../../examples/shop/feed/generator.ts";
import { timelineOf } from "../../examples/shop/feed/timeline.ts";

test("the same seed makes the same orders", () => {
  assert.deepEqual(generateOrders(200, 7), generateOrders(200, 7));
  assert.equal(timelineOf(generateOrders(200, 7), "a").feed, timelineOf(generateOrders(200, 7), "b").feed);
});

test("another seed makes other orders", () => {
  assert.notDeepEqual(generateOrders(200, 7), generateOrders(200, 8));
});

test("fewer orders are the first of more", () => {
  assert.deepEqual(generateOrders(50, 1), generateOrders(200, 1).slice(0, 50));
});

test("a thousand orders have everything that makes real ones hard", () => {
  const orders = generateOrders(1000, 1);
  assert.equal(new Set(orders.map(({ orderId }) => orderId)).size, 1000);
  assert.deepEqual(new Set(orders.map(({ status }) => status)), new Set(orderStatuses));
  const some = (name: string, test: (order: (typeof orders)[number]) => boolean): void => {
    const count = orders.filter(test).length;
    assert.ok(count > 0 && count < 300, `${name}: ${count}`);
  };
  some("several items", ({ items }) => items.length > 1);
  some("several payments", ({ payments }) => payments.length > 1);
  some("late", ({ deliveredMs, estimatedMs }) => (deliveredMs ?? 0) > estimatedMs);
  some("carrier before approval", ({ carrierMs, approvedMs }) => (carrierMs ?? Infinity) < (approvedMs ?? 0));
  some("a cent short", ({ items, payments }) => {
    const total = items.reduce((sum, item) => sum + item.priceCents + item.freightCents, 0);
    const paid = payments.reduce((sum, { cents }) => sum + cents, 0);
    return paid === total - 1 || paid === total - 2;
  });
});
