// Handlers that leave failures behind which nobody awaits: one a promise, one a timer.
import { service, topic } from "tidings";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const Placed = orders.event("shop.order.placed", { data: z.object({ orderId: z.string() }) });

async function mail(orderId: string): Promise<void> {
  await Promise.resolve();
  throw new Error(`no mail about ${orderId}`);
}

export default {
  services: () => [
    service("mailer", { from: "start" }).on(Placed, ({ data }) => void mail(data.orderId)),
    service("printer", { from: "start" }).on(Placed, () => {
      setTimeout(() => {
        throw new TypeError("out of paper");
      }, 0);
    }),
  ],
  async workload(world: { publish: (publication: unknown, by: string) => Promise<void> }) {
    for (const orderId of ["41", "42"]) await world.publish([Placed, { orderId }], "web");
  },
};
