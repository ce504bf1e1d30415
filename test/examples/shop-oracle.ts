// The shop's figures by another path: plain loops over the rows of the CSV files, and no code of the shop.
import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Rows = Record<string, string>[];

export interface Tables {
  orders: Rows;
  items: Rows;
  payments: Rows;
  customers: Rows;
}

export const fileNames: Record<keyof Tables, string> = {
  orders: "orders.csv",
  items: "order_items.csv",
  payments: "order_payments.csv",
  customers: "customers.csv",
};

export function readTables(folder: string): Tables {
  const read = (name: keyof Tables): Rows => {
    const [header = "", ...lines] = readFileSync(join(folder, fileNames[name]), "utf8").trim().split("\n");
    const columns = header.split(",");
    return lines.map((line) => Object.fromEntries(line.split(",").map((value, index) => [columns[index], value])));
  };
  return { orders: read("orders"), items: read("items"), payments: read("payments"), customers: read("customers") };
}

/** Every figure of the summary. */
export function expectedSummary({ orders, items, payments, customers }: Tables): Record<string, unknown> {
  const stateOfCustomer: Record<string, string> = {};
  for (const row of customers) stateOfCustomer[row["customer_id"]!] = row["customer_state"]!;
  const stateOfOrder: Record<string, string> = {};
  const byStatus: Record<string, number> = {};
  let late = 0;
  for (const row of orders) {
    stateOfOrder[row["order_id"]!] = stateOfCustomer[row["customer_id"]!]!;
    byStatus[row["order_status"]!] = (byStatus[row["order_status"]!] ?? 0) + 1;
    // Written so, later times are greater texts.
    if (row["order_delivered_customer_date"]! > row["order_estimated_delivery_date"]!) late++;
  }
  const total: Record<string, number> = {};
  const byState: Record<string, number> = {};
  const bySeller: Record<string, number> = {};
  for (const row of items) {
    const cents = Math.round(Number(row["price"]) * 100) + Math.round(Number(row["freight_value"]) * 100);
    const state = stateOfOrder[row["order_id"]!]!;
    total[row["order_id"]!] = (total[row["order_id"]!] ?? 0) + cents;
    byState[state] = (byState[state] ?? 0) + cents;
    bySeller[row["seller_id"]!] = (bySeller[row["seller_id"]!] ?? 0) + cents;
  }
  const received: Record<string, number> = {};
  const byType: Record<string, number> = {};
  for (const row of payments) {
    const cents = Math.round(Number(row["payment_value"]) * 100);
    received[row["order_id"]!] = (received[row["order_id"]!] ?? 0) + cents;
    byType[row["payment_type"]!] = (byType[row["payment_type"]!] ?? 0) + cents;
  }
  const paid = orders.filter((row) => (received[row["order_id"]!] ?? 0) >= (total[row["order_id"]!] ?? 0) - 2).length;
  const sellers = Object.entries(bySeller).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return {
    orders: orders.length,
    byStatus,
    items: items.length,
    revenue: money(Object.values(total).reduce((sum, cents) => sum + cents, 0)),
    paidOrders: paid,
    paymentsByType: moneyByName(byType),
    lateDeliveries: late,
    revenueByState: moneyByName(byState),
    topSellers: sellers.slice(0, 5).map(([sellerId, cents]) => ({ sellerId, revenue: money(cents) })),
    ...expectedCounts(countEvents(orders, payments, paid, late)),
  };
}

const money = (cents: number): number => Number((cents / 100).toFixed(2));
const moneyByName = (sums: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(sums).map(([name, cents]) => [name, money(cents)]));

/** How many events of each type there must be. */
function countEvents(orders: Rows, payments: Rows, paid: number, late: number): Record<EventName, number> {
  const having = (status: string, column?: string): number =>
    orders.filter((row) => row["order_status"] === status || (column !== undefined && row[column] !== "")).length;
  const reports = {
    placed: orders.length,
    approved: having("approved", "order_approved_at"),
    processing: having("processing"),
    invoiced: having("invoiced"),
    unavailable: having("unavailable"),
    canceled: having("canceled"),
    carried: having("shipped", "order_delivered_carrier_date"),
    delivered: having("delivered", "order_delivered_customer_date"),
    received: payments.length,
  };
  const facts = Object.values(reports).reduce((sum, count) => sum + count, 0);
  const off = reports.canceled + reports.unavailable;
  return {
    ...reports,
    paid,
    late,
    reserved: orders.length,
    released: off,
    notified: paid + reports.carried + reports.delivered + late + off,
    // A mark after every 500 facts, and after the last.
    marks: Math.max(1, Math.ceil(facts / 500)),
  };
}

type EventName = keyof typeof topicOf;

const topicOf = {
  placed: "orders",
  approved: "orders",
  processing: "orders",
  invoiced: "orders",
  unavailable: "orders",
  canceled: "orders",
  received: "payments",
  paid: "payments",
  reserved: "stock",
  released: "stock",
  carried: "shipments",
  delivered: "shipments",
  late: "shipments",
  notified: "messages",
  marks: "feed",
} as const;

/** What every service handles; the rest of a topic it takes from is filtered. */
const handledBy: Record<string, EventName[]> = {
  orders: [
    ...(["placed", "approved", "processing", "invoiced", "unavailable", "canceled"] as const),
    ...(["carried", "delivered", "paid", "late", "reserved", "released"] as const),
  ],
  payments: ["placed", "received"],
  inventory: ["placed", "canceled", "unavailable"],
  shipping: ["placed", "delivered"],
  notifications: ["paid", "carried", "delivered", "late", "unavailable", "canceled"],
  sales: ["placed", "received", "paid", "late"],
  feed: ["marks"],
};

function expectedCounts(events: Record<EventName, number>): Record<string, number> {
  const names = Object.keys(events) as EventName[];
  let [handled, filtered] = [0, 0];
  for (const types of Object.values(handledBy)) {
    const topics = new Set(types.map((type) => topicOf[type]));
    for (const name of names.filter((each) => topics.has(topicOf[each]))) {
      if (types.includes(name)) handled += events[name];
      else filtered += events[name];
    }
  }
  const published = names.reduce((sum, name) => sum + events[name], 0);
  return { published, handled, filtered, deadLetters: 0, pending: 0 };
}
