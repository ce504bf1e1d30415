// Many events become one: an order is paid when its payments cover it.
import { type Context, service } from "tidings";

import { OrderPaid, OrderPlaced, PaymentReceived } from "../events.ts";

/** Customers may fall so much short of the total; rounding of instalments does. */
const shortfallCents = 2;

/** Documents of this service, by order. */
export const accounts = "accounts";

export interface Account {
  /** Absent until the order itself has arrived: a payment may come first, on a topic of its own. */
  readonly totalCents?: number;
  readonly paidCents: number;
  /** Whether `OrderPaid` has gone out. It goes out once. */
  readonly settled: boolean;
}

export const payments = service("payments", { from: "start" })
  .on(OrderPlaced, async ({ data, timeMs }, ctx) => {
    const totalCents = data.items.reduce((sum, item) => sum + item.priceCents + item.freightCents, 0);
    const account = await open(ctx, data.orderId);
    settle(ctx, data.orderId, { ...account, totalCents }, timeMs);
  })
  .on(PaymentReceived, async ({ data, timeMs }, ctx) => {
    const account = await open(ctx, data.orderId);
    settle(ctx, data.orderId, { ...account, paidCents: account.paidCents + data.cents }, timeMs);
  });

async function open(ctx: Context, orderId: string): Promise<Account> {
  return (await ctx.state<Account>(accounts).get(orderId)) ?? { paidCents: 0, settled: false };
}

/** Keeps the account, and says so when it has just been covered. Both commit together, or neither does. */
function settle(ctx: Context, orderId: string, account: Account, timeMs: number): void {
  const { totalCents, paidCents } = account;
  const covered = totalCents !== undefined && paidCents >= totalCents - shortfallCents;
  if (covered && !account.settled) ctx.publish(OrderPaid, { orderId, totalCents, paidCents }, { time: timeMs });
  ctx.state<Account>(accounts).set(orderId, { ...account, settled: account.settled || covered });
}
