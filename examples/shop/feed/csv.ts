// Orders from a folder with the files of the Olist dataset.
//
// Everything is read and checked before the first event is published: a malformed file leaves nothing half-done.
import { join } from "node:path";

import { orderStatuses, type OrderStatus } from "../events.ts";
import type { Item, Order, Payment } from "./order.ts";
import { readTable, type Row } from "./table.ts";
import { zoneClock } from "./zone.ts";

const toInstant = zoneClock("America/Sao_Paulo");

/** What was read, and what was strange about it but no error. */
export interface Reading {
  readonly orders: readonly Order[];
  readonly warnings: readonly string[];
}

/** Reads orders.csv, order_items.csv, order_payments.csv and customers.csv. Throws TIDINGS_INVALID_INPUT. */
export function readOrders(folder: string): Reading {
  const orderRows = readTable(join(folder, "orders.csv"), [
    "order_id",
    "customer_id",
    "order_status",
    "order_purchase_timestamp",
    "order_approved_at",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
    "order_estimated_delivery_date",
  ]);
  const known = new Set<string>();
  for (const row of orderRows) {
    if (known.has(row.text("order_id"))) row.refuse("order_id", "stands here twice");
    known.add(row.text("order_id"));
  }
  const customers = readCustomers(join(folder, "customers.csv"));
  const items = readItems(join(folder, "order_items.csv"));
  const payments = readPayments(join(folder, "order_payments.csv"));
  const orders = orderRows.map((row): Order => {
    const orderId = row.text("order_id");
    return {
      orderId,
      customer: customers.get(row.text("customer_id")) ?? row.refuse("customer_id", "is not in customers.csv"),
      status: statusOf(row),
      purchasedMs: timeOf(row, "order_purchase_timestamp") ?? row.refuse("order_purchase_timestamp", "is empty"),
      approvedMs: timeOf(row, "order_approved_at"),
      carrierMs: timeOf(row, "order_delivered_carrier_date"),
      deliveredMs: timeOf(row, "order_delivered_customer_date"),
      estimatedMs:
        timeOf(row, "order_estimated_delivery_date") ?? row.refuse("order_estimated_delivery_date", "is empty"),
      items: [...(items.get(orderId)?.values() ?? [])],
      payments: [...(payments.get(orderId)?.values() ?? [])],
    };
  });
  return {
    orders,
    warnings: [orphans("order_items.csv", items, known), orphans("order_payments.csv", payments, known)].flat(),
  };
}

function readCustomers(path: string): Map<string, Order["customer"]> {
  const customers = new Map<string, Order["customer"]>();
  for (const row of readTable(path, ["customer_id", "customer_city", "customer_state"])) {
    const id = row.text("customer_id");
    if (customers.has(id)) row.refuse("customer_id", "stands here twice");
    customers.set(id, { city: row.text("customer_city"), state: row.text("customer_state") });
  }
  return customers;
}

/** By order, then by number. */
type Parts<Part> = Map<string, Map<number, Part>>;

function readItems(path: string): Parts<Item> {
  const items: Parts<Item> = new Map();
  const columns = ["order_id", "order_item_id", "product_id", "seller_id", "price", "freight_value"] as const;
  for (const row of readTable(path, columns)) {
    add(items, row, "order_item_id", {
      productId: row.text("product_id"),
      sellerId: row.text("seller_id"),
      priceCents: centsOf(row, "price"),
      freightCents: centsOf(row, "freight_value"),
    });
  }
  return items;
}

function readPayments(path: string): Parts<Payment> {
  const payments: Parts<Payment> = new Map();
  const columns = ["order_id", "payment_sequential", "payment_type", "payment_installments", "payment_value"] as const;
  for (const row of readTable(path, columns)) {
    add(payments, row, "payment_sequential", {
      payment: wholeOf(row, "payment_sequential", 1),
      type: row.text("payment_type"),
      installments: wholeOf(row, "payment_installments", 0),
      cents: centsOf(row, "payment_value"),
    });
  }
  return payments;
}

function add<Part, Column extends string>(
  parts: Parts<Part>,
  row: Row<Column | "order_id">,
  column: Column,
  part: Part,
): void {
  const orderId = row.text("order_id");
  const ofOrder = parts.get(orderId) ?? new Map<number, Part>();
  const number = wholeOf(row, column, 1);
  if (ofOrder.has(number)) row.refuse(column, `stands here twice for the order ${orderId}`);
  parts.set(orderId, ofOrder.set(number, part));
}

/** Rows of orders that are not there (orders.csv was cut, say) are left out, and said. */
function orphans(file: string, parts: Parts<unknown>, known: ReadonlySet<string>): string[] {
  const count = [...parts].reduce((sum, [orderId, ofOrder]) => sum + (known.has(orderId) ? 0 : ofOrder.size), 0);
  return count === 0 ? [] : [`${file}: ${count} rows belong to orders that are not in orders.csv and are left out.`];
}

function statusOf(row: Row<"order_status">): OrderStatus {
  const status = row.text("order_status") as OrderStatus;
  return orderStatuses.includes(status) ? status : row.refuse("order_status", `is none of ${orderStatuses.join(", ")}`);
}

function wholeOf<Column extends string>(row: Row<Column>, column: Column, least: number): number {
  const text = row.text(column);
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) row.refuse(column, `is not a whole number of at least ${least}`);
  return Number(text);
}

/** Money is read digit by digit: 0.1 + 0.2 is 0.30000000000000004, and 10 + 20 cents are 30 cents. */
function centsOf<Column extends string>(row: Row<Column>, column: Column): number {
  const match = /^(\d{1,12})(?:\.(\d{1,2}))?$/.exec(row.text(column));
  if (!match) return row.refuse(column, "is not an amount of money such as 12.90");
  return Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
}

/** A wall-clock time without a zone, as an instant; undefined where the column is empty. */
function timeOf<Column extends string>(row: Row<Column>, column: Column): number | undefined {
  const text = row.optional(column);
  if (text === undefined) return undefined;
  const wallMs = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? Date.parse(`${text.replace(" ", "T")}Z`) : Number.NaN;
  // Date.parse takes February 30 for March 2; written back, it does not say the same.
  if (Number.isNaN(wallMs) || new Date(wallMs).toISOString().slice(0, 19).replace("T", " ") !== text) {
    row.refuse(column, "is not a time such as 2017-10-02 10:56:33");
  }
  return toInstant(wallMs);
}
