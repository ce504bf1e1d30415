// Reserves stock for a placed order and gives it back when the order is off: an action and its compensation.
import { type Context, service } from "tidings";

import { OrderCanceled, OrderPlaced, OrderUnavailable, StockReleased, StockReserved } from "../events.ts";

/** Reserved units by product. Orders of the same product meet here; the later commit runs again on the newer count. */
export const shelves = "shelves";
/** What was reserved, by order. */
export const reservations = "reservations";

interface Reservation {
  readonly unitsByProduct: Readonly<Record<string, number>>;
  /** The order is off; a reservation that comes after this reserves nothing. */
  readonly off: boolean;
}

export const inventory = service("inventory", { from: "start" })
  .on(OrderPlaced, async ({ data, timeMs }, ctx) => {
    const box = ctx.state<Reservation>(reservations);
    if ((await box.get(data.orderId))?.off) return;
    const unitsByProduct: Record<string, number> = {};
    for (const { productId } of data.items) unitsByProduct[productId] = (unitsByProduct[productId] ?? 0) + 1;
    await move(ctx, unitsByProduct, 1);
    box.set(data.orderId, { unitsByProduct, off: false });
    ctx.publish(StockReserved, { orderId: data.orderId, units: data.items.length }, { time: timeMs });
  })
  .on(OrderCanceled, ({ data, timeMs }, ctx) => release(ctx, data.orderId, timeMs))
  .on(OrderUnavailable, ({ data, timeMs }, ctx) => release(ctx, data.orderId, timeMs));

async function release(ctx: Context, orderId: string, timeMs: number): Promise<void> {
  const box = ctx.state<Reservation>(reservations);
  const reservation = await box.get(orderId);
  if (reservation?.off) return;
  box.set(orderId, { unitsByProduct: {}, off: true });
  if (!reservation) return;
  await move(ctx, reservation.unitsByProduct, -1);
  const units = Object.values(reservation.unitsByProduct).reduce((sum, each) => sum + each, 0);
  ctx.publish(StockReleased, { orderId, units }, { time: timeMs });
}

/** Adds the units to what is reserved of each product, or takes them off. */
async function move(ctx: Context, unitsByProduct: Reservation["unitsByProduct"], direction: 1 | -1): Promise<void> {
  const box = ctx.state<number>(shelves);
  for (const [productId, units] of Object.entries(unitsByProduct)) {
    box.set(productId, ((await box.get(productId)) ?? 0) + direction * units);
  }
}
