// What leaves the system cannot be rolled back. `once` remembers that it was done, so that a later try does not repeat it.
import { service, tidings, topic } from "tidings";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPaid = orders.event("shop.order.paid", { data: z.object({ orderId: z.string() }) });

const postcards: string[] = [];
const letters: string[] = [];
const retry = { immediateMs: [0, 0], delayedMs: [] };
const mail = service("mail", { retry }).on(OrderPaid, async ({ data: { orderId }, id }, ctx) => {
  postcards.push(orderId);
  await ctx.once(`letter:${id}`, () => letters.push(orderId));
  // Something behind it goes wrong, twice.
  if (ctx.attempt <= 2) throw new Error("the printer is out of paper");
});

const app = await tidings({ name: "mail", url: "memory:", services: [mail] }).start();
await app.publish(OrderPaid, { orderId: "42" });
await app.settled();
await app.stop();
console.log(`${postcards.length} postcards, ${letters.length} letter`);

// Prints: Three tries, three postcards, one letter. Only a crash right between sending and remembering would send two.
//
// 3 postcards, 1 letter
