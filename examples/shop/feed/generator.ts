// Orders out of thin air, alike for alike seeds, as messy as real ones: several items and payments, late parcels,
// cancellations, clocks that disagree, a cent missing here and there.
import type { OrderStatus } from "../events.ts";
import { type Dice, dice } from "../random.ts";
import type { Item, Order, Payment } from "./order.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const openedMs = Date.UTC(2025, 0, 6, 8);

const cities = [
  { city: "sao paulo", state: "SP" },
  { city: "campinas", state: "SP" },
  { city: "rio de janeiro", state: "RJ" },
  { city: "belo horizonte", state: "MG" },
  { city: "porto alegre", state: "RS" },
  { city: "curitiba", state: "PR" },
  { city: "salvador", state: "BA" },
  { city: "recife", state: "PE" },
  { city: "manaus", state: "AM" },
] as const;

/** Makes `count` orders; each depends on the seed and its own number alone, so that fewer orders are the first of more. */
export function generateOrders(count: number, seed: number): Order[] {
  return Array.from({ length: count }, (_, index) => makeOrder(index + 1, dice(`${seed}/order/${index + 1}`)));
}

function makeOrder(number: number, chance: Dice): Order {
  // An order every 20 minutes or so.
  const purchasedMs = openedMs + number * 20 * 60_000 + chance.between(0, 3_600_000);
  const status = pickStatus(chance);
  const reached = (least: OrderStatus[]): boolean => least.includes(status);
  const approvedMs = purchasedMs + chance.between(60_000, 2 * dayMs);
  // One carrier in a hundred has a clock that is a day slow.
  const slowMs = chance.next() < 0.01 ? dayMs : 0;
  const carrierMs = approvedMs + chance.between(hourMs, 3 * dayMs) - slowMs;
  const deliveredMs = carrierMs + chance.between(dayMs, 12 * dayMs);
  const items = makeItems(chance);
  return {
    orderId: `order-${String(number).padStart(6, "0")}`,
    customer: chance.pick(cities),
    status,
    purchasedMs,
    approvedMs: status === "created" ? undefined : approvedMs,
    carrierMs: reached(["shipped", "delivered"]) ? carrierMs : undefined,
    deliveredMs: reached(["delivered"]) ? deliveredMs : undefined,
    estimatedMs: Math.floor((purchasedMs + chance.between(12, 26) * dayMs) / dayMs) * dayMs,
    items,
    payments: status === "created" ? [] : makePayments(items, chance),
  };
}

function pickStatus(chance: Dice): OrderStatus {
  const share = chance.next();
  if (share < 0.955) return "delivered";
  if (share < 0.975) return "shipped";
  return chance.pick(["created", "approved", "processing", "invoiced", "canceled", "canceled", "unavailable"]);
}

function makeItems(chance: Dice): Item[] {
  const many = chance.next() < 0.12 ? chance.between(2, 5) : 1;
  return Array.from({ length: many }, () => ({
    productId: `product-${chance.between(1, 400)}`,
    sellerId: `seller-${chance.between(1, 80)}`,
    priceCents: chance.between(5, 400) * 100 - 10,
    freightCents: chance.between(750, 4500),
  }));
}

/** The total, in one payment or in several, and now and then a cent or two short. */
function makePayments(items: readonly Item[], chance: Dice): Payment[] {
  const totalCents = items.reduce((sum, item) => sum + item.priceCents + item.freightCents, 0);
  let leftCents = totalCents - (chance.next() < 0.01 ? chance.between(1, 2) : 0);
  const vouchers = chance.next() < 0.05 ? chance.between(1, 3) : 0;
  const payments: Payment[] = [];
  for (let payment = 1; payment <= vouchers; payment++) {
    const cents = Math.floor(leftCents / 3);
    payments.push({ payment, type: "voucher", installments: 1, cents });
    leftCents -= cents;
  }
  const type = chance.pick(["credit_card", "credit_card", "credit_card", "boleto", "debit_card"]);
  const installments = type === "credit_card" ? chance.between(1, 10) : 1;
  return [...payments, { payment: vouchers + 1, type, installments, cents: leftCents }];
}
