// Tells the customer what matters. The message leaves the system, where no transaction reaches.
import { type Context, type Event, service } from "tidings";

import {
  CustomerNotified,
  DeliveredLate,
  HandedToCarrier,
  OrderCanceled,
  OrderDelivered,
  OrderPaid,
  OrderUnavailable,
} from "../events.ts";

export const notifications = service("notifications", { from: "start" })
  .on(OrderPaid, (event, ctx) => notify(event, ctx, "paid"))
  .on(HandedToCarrier, (event, ctx) => notify(event, ctx, "on its way"))
  .on(OrderDelivered, (event, ctx) => notify(event, ctx, "delivered"))
  .on(DeliveredLate, (event, ctx) => notify(event, ctx, "sorry for the delay"))
  .on(OrderUnavailable, (event, ctx) => notify(event, ctx, "not available"))
  .on(OrderCanceled, (event, ctx) => notify(event, ctx, "canceled"));

/**
 * A message is sent at least once: `once` remembers that it went out, so that a later try of this event does not send it
 * again, and only a crash between sending and remembering does. That it went out is published exactly once.
 */
async function notify(event: Event<string, { orderId: string }>, ctx: Context, about: string): Promise<void> {
  const { orderId } = event.data;
  await ctx.once(`message:${event.id}`, () => send(orderId, about));
  ctx.publish(CustomerNotified, { orderId, about }, { time: event.timeMs });
}

/** Stands for the mail server of a real shop. */
async function send(_orderId: string, _about: string): Promise<void> {
  await Promise.resolve();
}
