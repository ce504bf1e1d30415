// The services of the shop, one by one, in memory: each knows the others only by events, so that each is tested alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testApp } from "tidings/testing";

import {
  CustomerNotified,
  DeliveredLate,
  HandedToCarrier,
  messages,
  OrderApproved,
  OrderCanceled,
  OrderDelivered,
  OrderPaid,
  OrderPlaced,
  PaymentReceived,
  stock,
  StockReleased,
  StockReserved,
} from "../../examples/shop/events.ts";
import { inventory, shelves } from "../../examples/shop/services/inventory.ts";
import { notifications } from "../../examples/shop/services/notifications.ts";
import { orderBook, orders } from "../../examples/shop/services/orders.ts";
import { payments } from "../../examples/shop/services/payments.ts";
import { sales } from "../../examples/shop/services/sales.ts";
import { shipping } from "../../examples/shop/services/shipping.ts";

const item = { productId: "lamp", sellerId: "s", priceCents: 1000, freightCents: 200 };
const placed = {
  orderId: "1",
  step: 1,
  customer: { city: "sao paulo", state: "SP" },
  items: [item, item],
  estimatedDelivery: "2018-01-20T02:00:00.000Z",
};
const pay = (payment: number, cents: number) => ({ orderId: "1", payment, type: "voucher", installments: 1, cents });

test("payments: an order is paid once, when its payments cover it up to two cents", async () => {
  await using kit = await testApp({ services: [payments] });
  await kit.given([OrderPlaced, placed], [PaymentReceived, pay(1, 1200)]);
  await kit.thenNothing();
  await kit.when(PaymentReceived, pay(2, 1198));
  await kit.thenPublished([OrderPaid, { orderId: "1", totalCents: 2400, paidCents: 2398 }]);
  await kit.when(PaymentReceived, pay(3, 500));
  await kit.thenNothing();
});

test("payments: three cents short is not paid", async () => {
  await using kit = await testApp({ services: [payments] });
  await kit.when(() =>
    kit.app.publishAll([
      [OrderPlaced, placed],
      [PaymentReceived, pay(1, 2397)],
    ]),
  );
  await kit.thenNothing();
});

test("payments: payments that come before their order count as well", async () => {
  await using kit = await testApp({ services: [payments] });
  await kit.given([PaymentReceived, pay(1, 1400)], [PaymentReceived, pay(2, 1000)]);
  await kit.when(OrderPlaced, placed);
  await kit.thenPublished([OrderPaid, { orderId: "1", totalCents: 2400, paidCents: 2400 }]);
});

test("inventory: reserves what is ordered and gives it back when the order is off, once", async () => {
  await using kit = await testApp({ services: [inventory], topics: [stock] });
  await kit.when(OrderPlaced, placed);
  await kit.thenPublished([StockReserved, { orderId: "1", units: 2 }]);
  await kit.thenState("inventory", shelves, "lamp", 2);
  await kit.when(OrderCanceled, { orderId: "1", step: 2 });
  await kit.thenPublished([StockReleased, { orderId: "1", units: 2 }]);
  await kit.thenState("inventory", shelves, "lamp", 0);
  await kit.when(OrderCanceled, { orderId: "1", step: 3 });
  await kit.thenNothing();
});

test("inventory: an order that is off before it arrives reserves nothing", async () => {
  await using kit = await testApp({ services: [inventory], topics: [stock] });
  await kit.given([OrderCanceled, { orderId: "1", step: 2 }]);
  await kit.when(OrderPlaced, placed);
  await kit.thenNothing();
});

test("inventory: orders of one product are all counted, however many are handled at once", async () => {
  await using kit = await testApp({ services: [inventory], topics: [stock] });
  await kit.when(() =>
    Promise.all(
      Array.from({ length: 50 }, (_, index) => kit.app.publish(OrderPlaced, { ...placed, orderId: `${index}` })),
    ),
  );
  await kit.thenState("inventory", shelves, "lamp", 100);
});

test("orders: the highest step gives the status, whatever comes last", async () => {
  await using kit = await testApp({ services: [orders] });
  await kit.given([OrderDelivered, { orderId: "1", step: 4, deliveredAt: null }]);
  await kit.given([OrderPlaced, placed], [OrderApproved, { orderId: "1", step: 2 }]);
  await kit.given([HandedToCarrier, { orderId: "1", step: 3 }], [StockReserved, { orderId: "1", units: 2 }]);
  await kit.thenState("orders", orderBook, "1", { status: "delivered", step: 4, stock: "reserved" });
});

test("shipping: a delivery after the estimate is late, whichever of the two is known first", async () => {
  const delivered = { orderId: "1", step: 2, deliveredAt: "2018-01-20T02:00:00.001Z" };
  const late = { orderId: "1", lateByMs: 1 };
  await using one = await testApp({ services: [shipping] });
  await one.given([OrderPlaced, placed]);
  await one.when(OrderDelivered, delivered);
  await one.thenPublished([DeliveredLate, late]);
  await using other = await testApp({ services: [shipping] });
  await other.given([OrderDelivered, delivered]);
  await other.when(OrderPlaced, placed);
  await other.thenPublished([DeliveredLate, late]);
});

test("shipping: a delivery at the estimate, or at no known time, is not late", async () => {
  await using kit = await testApp({ services: [shipping] });
  await kit.given([OrderPlaced, placed], [OrderPlaced, { ...placed, orderId: "2" }]);
  await kit.when(OrderDelivered, { orderId: "1", step: 2, deliveredAt: placed.estimatedDelivery });
  await kit.when(OrderDelivered, { orderId: "2", step: 2, deliveredAt: null });
  await kit.thenNothing();
});

test("notifications: the customer is told once, also when the process dies before the commit", async () => {
  await using kit = await testApp({ services: [notifications], topics: [messages] });
  await kit.crash({ at: "before-commit" });
  await kit.when(HandedToCarrier, { orderId: "1", step: 2 });
  await kit.thenPublished([CustomerNotified, { orderId: "1", about: "on its way" }]);
  assert.equal(kit.crashes, 1);
});

test("sales: an order's figures are a document of its own, which a second run writes alike", async () => {
  await using kit = await testApp({ services: [sales] });
  await kit.crash({ at: "before-commit" });
  await kit.when(OrderPlaced, placed);
  await kit.thenState("sales", "sales", "1", { state: "SP", items: 2, cents: 2400, centsBySeller: { s: 2400 } });
});
