// What the outside world reports about an order, as events with their times.
import type { App, Contract } from "tidings";

import {
  HandedToCarrier,
  OrderApproved,
  OrderCanceled,
  OrderDelivered,
  OrderInProcessing,
  OrderInvoiced,
  OrderPlaced,
  type OrderStatus,
  OrderUnavailable,
  PaymentReceived,
} from "../events.ts";
import type { Order } from "./order.ts";

/** One event to publish, as `app.publishAll` takes it. */
export type Publication = Parameters<App["publishAll"]>[0][number];

/** An event with its id and its time. The id follows from the order: published twice, it is there once. */
export interface Fact {
  readonly timeMs: number;
  readonly publication: Publication;
}

/** Everything that is reported about the order, in the order of the shop's books. */
export function lifeOf(order: Order): Fact[] {
  const { orderId } = order;
  const latestMs = Math.max(
    ...[order.purchasedMs, order.approvedMs, order.carrierMs, order.deliveredMs].filter(
      (timeMs) => timeMs !== undefined,
    ),
  );
  const reports = statusesOf(order).map(([status, timeMs], index) =>
    reportOf(order, status, index + 1, timeMs ?? latestMs),
  );
  // Nobody wrote down when a payment came; it cannot have been much before the approval.
  const paidMs = order.approvedMs ?? latestMs;
  const payments = order.payments.map((payment) =>
    fact(PaymentReceived, { orderId, ...payment }, `${orderId}:payment:${payment.payment}`, orderId, paidMs),
  );
  return [...reports.slice(0, 1), ...payments, ...reports.slice(1)];
}

/**
 * The statuses that the order has had, with their times where they are known. The books' last status comes last whatever
 * the clocks say: an order that is canceled after the carrier has it is a canceled order.
 */
function statusesOf(order: Order): [OrderStatus, number | undefined][] {
  const all: [OrderStatus, number | undefined][] = [
    ["created", order.purchasedMs],
    ["approved", order.approvedMs],
    ["processing", undefined],
    ["invoiced", undefined],
    ["shipped", order.carrierMs],
    ["delivered", order.deliveredMs],
    ["unavailable", undefined],
    ["canceled", undefined],
  ];
  const last = all.filter(([status]) => status === order.status);
  return [...all.filter(([status, timeMs]) => status !== order.status && timeMs !== undefined), ...last];
}

/** Reports that say no more than that it happened. */
const plainReports: Record<
  Exclude<OrderStatus, "created" | "delivered">,
  Contract<string, { orderId: string; step: number }>
> = {
  approved: OrderApproved,
  processing: OrderInProcessing,
  invoiced: OrderInvoiced,
  shipped: HandedToCarrier,
  unavailable: OrderUnavailable,
  canceled: OrderCanceled,
};

function reportOf(order: Order, status: OrderStatus, step: number, timeMs: number): Fact {
  const { orderId, customer, items, estimatedMs, deliveredMs } = order;
  const id = `${orderId}:${status}`;
  if (status === "created") {
    const placed = { orderId, step, customer, items: [...items], estimatedDelivery: iso(estimatedMs) };
    return fact(OrderPlaced, placed, id, orderId, timeMs);
  }
  if (status === "delivered") {
    const deliveredAt = deliveredMs === undefined ? null : iso(deliveredMs);
    return fact(OrderDelivered, { orderId, step, deliveredAt }, id, orderId, timeMs);
  }
  return fact(plainReports[status], { orderId, step }, id, orderId, timeMs);
}

/** A publication, checked by the compiler against its contract. All events of an order are correlated by its id. */
export function fact<In>(
  contract: Contract<string, In>,
  data: NoInfer<In>,
  id: string,
  correlationId: string,
  timeMs: number,
): Fact {
  return { timeMs, publication: [contract, data, { id, correlationId, time: timeMs }] };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
