// What is down is not called: a circuit breaker lets deliveries wait without using up their attempts, and probes with one.
import { dependency, lifecycle, service, tidings, topic } from "tidings";
import { z } from "zod";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: z.object({ orderId: z.string() }) });

const bank = dependency("bank-api", { breaker: { failures: 2, openMs: 300 } });
let isUp = false;
let calls = 0;
const paid: string[] = [];
const payments = service("payments", { retry: { immediateMs: [0], delayedMs: [] } }).on(
  OrderPlaced,
  ({ data: { orderId } }, ctx) =>
    ctx.call(bank, () => {
      calls += 1;
      if (!isUp) throw new Error("the bank does not answer");
      paid.push(orderId);
    }),
  { uses: [bank] },
);

// The platform tells of itself by events like any others.
const watch = service("watch", { from: "start" })
  .on(lifecycle.BreakerOpened, ({ data }) => console.log(`${data.breaker} is open: ${data.reason}`))
  .on(lifecycle.BreakerClosed, ({ data }) => console.log(`${data.breaker} is closed: ${data.reason}`));

const app = await tidings({ name: "shop", url: "memory:", services: [payments, watch] }).start();
await app.publish(OrderPlaced, { orderId: "1" });
while ((await app.health()).breakers.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
for (const orderId of ["2", "3", "4"]) await app.publish(OrderPlaced, { orderId });
isUp = true;
await app.settled();
console.log(`paid: ${paid.toSorted().join(", ")}`);
console.log(`${calls} calls, ${await app.admin.deadLetters.count()} dead letters`);
await app.stop();

// Prints: Two calls fail and open the breaker. The rest wait, until one probe gets through; nobody has used up an attempt.
//
// bank-api is open: it failed 2 times in a row: the bank does not answer
// bank-api is closed: the probe succeeded
// paid: 1, 2, 3, 4
// 6 calls, 0 dead letters
