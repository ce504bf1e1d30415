// Says when a delivery was late. The estimate and the delivery come on two topics, in either order: whichever comes
// second decides.
import { type Context, service } from "tidings";

import { DeliveredLate, OrderDelivered, OrderPlaced } from "../events.ts";

/** Documents of this service, by order. */
export const parcels = "parcels";

interface Parcel {
  readonly estimatedMs?: number;
  readonly deliveredMs?: number;
}

export const shipping = service("shipping", { from: "start" })
  .on(OrderPlaced, ({ data }, ctx) => learn(ctx, data.orderId, { estimatedMs: Date.parse(data.estimatedDelivery) }))
  .on(OrderDelivered, async ({ data }, ctx) => {
    if (data.deliveredAt !== null) await learn(ctx, data.orderId, { deliveredMs: Date.parse(data.deliveredAt) });
  });

async function learn(ctx: Context, orderId: string, news: Parcel): Promise<void> {
  const box = ctx.state<Parcel>(parcels);
  const parcel = { ...(await box.get(orderId)), ...news };
  box.set(orderId, parcel);
  const { estimatedMs, deliveredMs } = parcel;
  if (estimatedMs === undefined || deliveredMs === undefined || deliveredMs <= estimatedMs) return;
  ctx.publish(DeliveredLate, { orderId, lateByMs: deliveredMs - estimatedMs }, { time: deliveredMs });
}
