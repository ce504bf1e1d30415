// The order book: one document for each order, with its last status and what else has happened to it.
import { type Context, service } from "tidings";

import {
  DeliveredLate,
  HandedToCarrier,
  OrderApproved,
  OrderCanceled,
  OrderDelivered,
  OrderInProcessing,
  OrderInvoiced,
  OrderPaid,
  OrderPlaced,
  type OrderStatus,
  OrderUnavailable,
  StockReleased,
  StockReserved,
} from "../events.ts";

/** Documents of this service, by order. */
export const orderBook = "order-book";

export interface OrderEntry {
  /** Absent while only other services have spoken of the order. */
  readonly status?: OrderStatus;
  /** The step of the report that gave the status. */
  readonly step: number;
  readonly paid?: true;
  readonly stock?: "reserved" | "released";
  readonly late?: true;
}

export const orders = service("orders", { from: "start" })
  .on(OrderPlaced, ({ data }, ctx) => report(ctx, data, "created"))
  .on(OrderApproved, ({ data }, ctx) => report(ctx, data, "approved"))
  .on(OrderInProcessing, ({ data }, ctx) => report(ctx, data, "processing"))
  .on(OrderInvoiced, ({ data }, ctx) => report(ctx, data, "invoiced"))
  .on(OrderUnavailable, ({ data }, ctx) => report(ctx, data, "unavailable"))
  .on(OrderCanceled, ({ data }, ctx) => report(ctx, data, "canceled"))
  .on(HandedToCarrier, ({ data }, ctx) => report(ctx, data, "shipped"))
  .on(OrderDelivered, ({ data }, ctx) => report(ctx, data, "delivered"))
  .on(OrderPaid, ({ data }, ctx) => note(ctx, data.orderId, { paid: true }))
  .on(DeliveredLate, ({ data }, ctx) => note(ctx, data.orderId, { late: true }))
  .on(StockReserved, ({ data }, ctx) => note(ctx, data.orderId, { stock: "reserved" }))
  .on(StockReleased, ({ data }, ctx) => note(ctx, data.orderId, { stock: "released" }));

/** The highest step wins, so that a report may come late without turning the clock back. */
async function report(ctx: Context, { orderId, step }: { orderId: string; step: number }, status: OrderStatus) {
  const entry = await read(ctx, orderId);
  if (step > entry.step) write(ctx, orderId, { ...entry, status, step });
}

async function note(ctx: Context, orderId: string, facts: Partial<OrderEntry>) {
  write(ctx, orderId, { ...(await read(ctx, orderId)), ...facts });
}

/**
 * Events of several topics touch the same entry at the same time, also in other processes. What is read here is checked
 * when the handler's work is committed; if it has changed meanwhile, the handler runs again on the newer entry.
 */
async function read(ctx: Context, orderId: string): Promise<OrderEntry> {
  return (await ctx.state<OrderEntry>(orderBook).get(orderId)) ?? { step: 0 };
}

function write(ctx: Context, orderId: string, entry: OrderEntry): void {
  ctx.state<OrderEntry>(orderBook).set(orderId, entry);
}
