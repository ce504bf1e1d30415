// The shop's contracts: all that the services know of one another.
//
// There are two kinds. The outside world reports facts (an order was placed, a parcel was delivered): the feed publishes
// those. The services answer with facts of their own (the order is paid, its stock is reserved). Whoever reads an event
// cannot tell the kinds apart and need not.
import { topic } from "tidings";
import { z } from "zod";

/** What the books of the shop may say of an order. */
export const orderStatuses = [
  "created",
  "approved",
  "processing",
  "invoiced",
  "shipped",
  "delivered",
  "unavailable",
  "canceled",
] as const;
export type OrderStatus = (typeof orderStatuses)[number];

/** Everything about one order is handled in order, whatever runs beside it. */
const key = (data: { orderId: string }): string => data.orderId;
/** As many processes as this can share the work on a topic. */
const partitions = 6;

const orders = topic("orders", { key, partitions });
const payments = topic("payments", { key, partitions });
export const stock = topic("stock", { key, partitions });
const shipments = topic("shipments", { key, partitions });
export const messages = topic("messages", { key, partitions });

const cents = z.int();
const instant = z.iso.datetime();

/**
 * What a report about the life of an order says at least. `step` counts the entries in the books of the shop for this
 * order: 1, 2, 3, … Clocks of the outside world disagree, and events of several topics overtake one another, so that the
 * last status is that of the highest step, not of the latest time and not of the last arrival.
 */
const report = { orderId: z.string().min(1), step: z.int().positive() };

export const OrderPlaced = orders.event("shop.order.placed", {
  data: z.object({
    ...report,
    customer: z.object({ city: z.string(), state: z.string() }),
    items: z.array(z.object({ productId: z.string(), sellerId: z.string(), priceCents: cents, freightCents: cents })),
    estimatedDelivery: instant,
  }),
});
export const OrderApproved = orders.event("shop.order.approved", { data: z.object(report) });
export const OrderInProcessing = orders.event("shop.order.in-processing", { data: z.object(report) });
export const OrderInvoiced = orders.event("shop.order.invoiced", { data: z.object(report) });
export const OrderUnavailable = orders.event("shop.order.unavailable", { data: z.object(report) });
export const OrderCanceled = orders.event("shop.order.canceled", { data: z.object(report) });

export const PaymentReceived = payments.event("shop.payment.received", {
  data: z.object({
    orderId: z.string(),
    /** 1, 2, … within the order. */
    payment: z.int().positive(),
    type: z.string(),
    installments: z.int(),
    cents,
  }),
});
/** The payments cover the order: many events have become one. Published by the payments service. */
export const OrderPaid = payments.event("shop.order.paid", {
  data: z.object({ orderId: z.string(), totalCents: cents, paidCents: cents }),
});

/** Published by the inventory service. */
export const StockReserved = stock.event("shop.stock.reserved", {
  data: z.object({ orderId: z.string(), units: z.int() }),
});
/** The order will not be sent after all. Published by the inventory service. */
export const StockReleased = stock.event("shop.stock.released", {
  data: z.object({ orderId: z.string(), units: z.int() }),
});

export const HandedToCarrier = shipments.event("shop.order.handed-to-carrier", { data: z.object(report) });
export const OrderDelivered = shipments.event("shop.order.delivered", {
  data: z.object({
    ...report,
    /** Null when the carrier reports a delivery and does not say when. */
    deliveredAt: instant.nullable(),
  }),
});
/** Delivered after the estimate. Published by the shipping service. */
export const DeliveredLate = shipments.event("shop.order.delivered-late", {
  data: z.object({ orderId: z.string(), lateByMs: z.int() }),
});

/** Published by the notifications service when the message has gone out. */
export const CustomerNotified = messages.event("shop.customer.notified", {
  data: z.object({ orderId: z.string(), about: z.string() }),
});

/** How far the feed has come, so that a restarted one goes on from there. The feed is no order: its key is its name. */
export const FeedAdvanced = topic("feed", { key: (data: { feed: string }) => data.feed, partitions: 1 }).event(
  "shop.feed.advanced",
  { data: z.object({ feed: z.string(), name: z.string(), published: z.int(), total: z.int() }) },
);
