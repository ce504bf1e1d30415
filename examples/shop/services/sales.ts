// The sales figures. Each fact becomes a document of its own and is summed when somebody asks.
//
// A single document "revenue so far" would be read and written by every order: at 64 orders at once all but one would
// find it changed and run again. Documents keyed like the events are never in each other's way, in one process or in
// ten, and however often a handler runs, its document says the same. See figures.ts for the sums.
import { service } from "tidings";

import { DeliveredLate, OrderPaid, OrderPlaced, PaymentReceived } from "../events.ts";

/** Names of the documents of this service. */
export const saleBox = "sales";
export const paymentBox = "payments";
export const paidBox = "paid";
export const lateBox = "late";

/** By order. */
export interface Sale {
  readonly state: string;
  readonly items: number;
  readonly cents: number;
  readonly centsBySeller: Readonly<Record<string, number>>;
}

/** By order and number of the payment. */
export interface Payment {
  readonly type: string;
  readonly cents: number;
}

export const sales = service("sales", { from: "start" })
  .on(OrderPlaced, ({ data }, ctx) => {
    const centsBySeller: Record<string, number> = {};
    let cents = 0;
    for (const { sellerId, priceCents, freightCents } of data.items) {
      cents += priceCents + freightCents;
      centsBySeller[sellerId] = (centsBySeller[sellerId] ?? 0) + priceCents + freightCents;
    }
    ctx
      .state<Sale>(saleBox)
      .set(data.orderId, { state: data.customer.state, items: data.items.length, cents, centsBySeller });
  })
  .on(PaymentReceived, ({ data }, ctx) => {
    ctx.state<Payment>(paymentBox).set(`${data.orderId}:${data.payment}`, { type: data.type, cents: data.cents });
  })
  .on(OrderPaid, ({ data }, ctx) => ctx.state<number>(paidBox).set(data.orderId, data.paidCents))
  .on(DeliveredLate, ({ data }, ctx) => ctx.state<number>(lateBox).set(data.orderId, data.lateByMs));
