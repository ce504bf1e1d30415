// The event that everything is measured with: an order of exactly 256 bytes of JSON.
import { z } from "zod";

export const payloadBytes = 256;

export const orderSchema = z.object({
  orderId: z.string(),
  n: z.number(),
  customerId: z.string(),
  email: z.string(),
  total: z.number(),
  currency: z.string(),
  items: z.array(z.object({ sku: z.string(), quantity: z.number(), price: z.number() })),
  note: z.string(),
});

export type Order = z.infer<typeof orderSchema>;

/** Makes the n-th order; its key goes round among `keys` keys in an order that is not that of the numbers. */
export function orderOf(n: number, keys: number): Order {
  const key = (n * 7919) % keys;
  const order: Order = {
    orderId: `order-${key}`,
    n,
    customerId: `customer-${n % 9973}`,
    email: "maria.silva@example.com",
    total: 129.9,
    currency: "BRL",
    items: [
      { sku: "SKU-10042", quantity: 2, price: 49.95 },
      { sku: "SKU-20077", quantity: 1, price: 30 },
    ],
    note: "",
  };
  order.note = padding.slice(0, payloadBytes - unpadded - digits(key) - digits(n) - digits(n % 9973));
  return order;
}

function digits(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++;
  return count;
}

const padding = "x".repeat(payloadBytes);
const unpadded = 226;
