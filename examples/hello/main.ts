// The program of the README: one event, one service that answers with another.
import { service, tidings, topic } from "tidings";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const PaymentCaptured = orders.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

const payments = service("payments", { from: "start" }).on(OrderPlaced, (order, ctx) => {
  console.log(`payments: capturing ${order.data.total} for the order ${order.data.orderId}`);
  ctx.publish(PaymentCaptured, { orderId: order.data.orderId });
});

const mail = service("mail", { from: "start" }).on(PaymentCaptured, (payment) => {
  console.log(`mail: thank you for the order ${payment.data.orderId}`);
});

const app = tidings({ name: "hello", url: process.argv[2] ?? "memory:", services: [payments, mail] });
await app.start();
await app.publish(OrderPlaced, { orderId: "42", total: 99.9 });
await app.settled();
await app.stop();
