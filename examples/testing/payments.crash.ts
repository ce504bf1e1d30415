// What `tidings test crash examples/testing/payments.crash.ts` kills: every handler, at every crash point.
import { service, topic } from "tidings";
import type { CrashTestOptions } from "tidings/testing";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), total: z.number() }) });
const PaymentCaptured = orders.event("shop.payment.captured", { data: z.object({ orderId: z.string() }) });

export default {
  services: ({ outside }) => [
    service("payments").on(OrderPlaced, async (order, ctx) => {
      const { orderId, total } = order.data;
      const sums = ctx.state<number>("sums");
      sums.set(orderId, ((await sums.get(orderId)) ?? 0) + total);
      ctx.publish(PaymentCaptured, { orderId });
    }),
    service("mail").on(PaymentCaptured, ({ data }) => {
      // Stands for a mail that is sent: no crash can undo it, so one is sent again.
      const mail = `mail about ${data.orderId}`;
      outside.set(mail, (outside.get(mail) ?? 0) + 1);
    }),
  ],
  async workload({ publish, publishAll }) {
    await publish([OrderPlaced, { orderId: "42", total: 9 }]);
    await publishAll([
      [OrderPlaced, { orderId: "43", total: 2 }],
      [OrderPlaced, { orderId: "42", total: 1 }],
    ]);
  },
} satisfies CrashTestOptions;
