// The summary. Every figure is read from documents that services keep from events, or from the platform's own counters.
import type { App } from "tidings";

import { type OrderEntry, orderBook, orders } from "./services/orders.ts";
import { lateBox, paidBox, type Payment, paymentBox, type Sale, saleBox, sales } from "./services/sales.ts";

export interface Summary {
  readonly orders: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly items: number;
  /** Money is summed in cents and written as a number such as 12.9. */
  readonly revenue: number;
  readonly paidOrders: number;
  readonly paymentsByType: Readonly<Record<string, number>>;
  readonly lateDeliveries: number;
  readonly revenueByState: Readonly<Record<string, number>>;
  readonly topSellers: readonly { readonly sellerId: string; readonly revenue: number }[];
  /** Distinct events. */
  readonly published: number;
  /** The rest are sums over subscriptions. */
  readonly handled: number;
  readonly filtered: number;
  readonly deadLetters: number;
  readonly pending: number;
}

export async function summarize(app: App): Promise<Summary> {
  const byStatus = new Tally();
  const paymentsByType = new Tally();
  const revenueByState = new Tally();
  const revenueBySeller = new Tally();
  let [orderCount, items, revenueCents] = [0, 0, 0];
  for await (const [, entry] of app.state<OrderEntry>(orders.name, orderBook).entries()) {
    if (entry.status !== undefined) byStatus.add(entry.status, 1);
  }
  for await (const [, sale] of app.state<Sale>(sales.name, saleBox).entries()) {
    orderCount++;
    items += sale.items;
    revenueCents += sale.cents;
    revenueByState.add(sale.state, sale.cents);
    for (const [sellerId, cents] of Object.entries(sale.centsBySeller)) revenueBySeller.add(sellerId, cents);
  }
  for await (const [, { type, cents }] of app.state<Payment>(sales.name, paymentBox).entries())
    paymentsByType.add(type, cents);
  const { published, subscriptions } = await app.totals();
  const sum = (name: "handled" | "filtered" | "deadLetters" | "pending"): number =>
    subscriptions.reduce((total, subscription) => total + subscription[name], 0);
  return {
    orders: orderCount,
    byStatus: byStatus.numbers(),
    items,
    revenue: money(revenueCents),
    paidOrders: await app.state(sales.name, paidBox).count(),
    paymentsByType: paymentsByType.numbers(money),
    lateDeliveries: await app.state(sales.name, lateBox).count(),
    revenueByState: revenueByState.numbers(money),
    topSellers: revenueBySeller.top(5).map(([sellerId, cents]) => ({ sellerId, revenue: money(cents) })),
    published,
    handled: sum("handled"),
    filtered: sum("filtered"),
    deadLetters: sum("deadLetters"),
    pending: sum("pending"),
  };
}

/** 15904043 cents are 159040.43: the division is the nearest number there is, and prints so. */
function money(cents: number): number {
  return cents / 100;
}

/** Sums by name. */
class Tally {
  readonly #sums = new Map<string, number>();

  add(name: string, amount: number): void {
    this.#sums.set(name, (this.#sums.get(name) ?? 0) + amount);
  }

  /** Largest first; equals by name. */
  top(most: number): [string, number][] {
    return [...this.#sums].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, most);
  }

  /** By name in largest-first order, so that two summaries of the same figures are the same text. */
  numbers(convert: (amount: number) => number = (amount) => amount): Record<string, number> {
    return Object.fromEntries(this.top(this.#sums.size).map(([name, amount]) => [name, convert(amount)]));
  }
}
