// The program of the README: an event, a service that answers with another, and one that listens to that.
import { service, tidings, topic } from "tidings";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const PaymentCaptured = orders.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

const payments = service("payments").on(OrderPlaced, (order, ctx) => {
  console.log(`capturing ${order.data.total} for order ${order.data.orderId}`);
  ctx.publish(PaymentCaptured, { orderId: order.data.orderId });
});

const mail = service("mail").on(PaymentCaptured, (payment) => {
  console.log(`thank you for order ${payment.data.orderId}`);
});

const url = process.argv[2] ?? "sqlite:hello.db";
const app = await tidings({ name: "shop", url, services: [payments, mail] }).start();
await app.publish(OrderPlaced, { orderId: "42", total: 99.9 });
await app.settled();
await app.stop();

// Prints: Run again, it goes on in the same file with a further order 42.
//
// capturing 99.9 for order 42
// thank you for order 42
