import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { olist, runExample, runShop, smallTables, temporaryFolder, withoutOlist, writeTables } from "./shop.ts";
import { expectedSummary, readTables, type Tables } from "./shop-oracle.ts";

test("the oracle gives the figures that are known of the real orders", { skip: withoutOlist }, () => {
  const summary = expectedSummary(readTables(olist));
  assert.equal(summary["orders"], 1000);
  assert.deepEqual(summary["byStatus"], { delivered: 979, shipped: 13, invoiced: 3, processing: 3, canceled: 2 });
  assert.equal(summary["items"], 1149);
  assert.equal(summary["revenue"], 159040.43);
  assert.equal(summary["paidOrders"], 1000);
  const payments = Object.values(summary["paymentsByType"] as Record<string, number>);
  assert.equal(Math.round(payments.reduce((sum, value) => sum + value, 0) * 100), 15904039);
  assert.equal(summary["lateDeliveries"], 75);
  assert.equal(Object.keys(summary["revenueByState"] as object).length, 27);
  assert.equal((summary["revenueByState"] as Record<string, number>)["SP"], 58933.01);
  assert.deepEqual((summary["topSellers"] as object[])[0], {
    sellerId: "da8622b14eb17ae2831f4ac5b9dab84a",
    revenue: 2966.52,
  });
});

test("the shop's figures are those of the real orders", { skip: withoutOlist }, async (t) => {
  const summary = await runShop(t, temporaryFolder(t), ["--data", olist]);
  assert.deepEqual(summary, expectedSummary(readTables(olist)));
});

test("the shop's figures are those of the first 300 real orders", { skip: withoutOlist }, async (t) => {
  const folder = temporaryFolder(t);
  const tables = cut(readTables(olist), 300);
  writeTables(join(folder, "cut"), tables);
  assert.deepEqual(await runShop(t, folder, ["--data", join(folder, "cut")]), expectedSummary(tables));
});

test("the shop's figures follow what is edited in the files", { skip: withoutOlist }, async (t) => {
  const folder = temporaryFolder(t);
  const tables = cut(readTables(olist), 400);
  const whole = expectedSummary(tables);
  for (const [index, row] of tables.items.entries()) if (index % 7 === 0) row["price"] = `${index}.0${index % 10}`;
  for (const [index, row] of tables.customers.entries()) if (index % 9 === 0) row["customer_state"] = "AC";
  tables.payments.splice(5, 1);
  const times = ["order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"];
  for (const [index, row] of tables.orders.entries()) {
    if (index % 50 === 0) row["order_delivered_customer_date"] = "2018-10-01 00:00:00";
    if (index % 50 === 1) row["order_delivered_customer_date"] = row["order_estimated_delivery_date"]!;
    // The books say canceled although the parcel arrived; nobody wrote down when; nothing was ever approved.
    if (index % 50 === 2) row["order_status"] = "canceled";
    if (index % 50 === 3) row["order_delivered_customer_date"] = "";
    if (index % 50 === 4) Object.assign(row, { order_status: "unavailable", ...blank(times) });
    if (index % 50 === 5) Object.assign(row, { order_status: "created", ...blank(times) });
    if (index % 50 === 6) row["order_status"] = "shipped";
  }
  writeTables(join(folder, "edited"), tables);
  const expected = expectedSummary(tables);
  assert.notDeepEqual(expected, whole);
  assert.deepEqual(await runShop(t, folder, ["--data", join(folder, "edited")]), expected);
});

test("orders without items, payments or times have their place in the figures", async (t) => {
  const folder = temporaryFolder(t);
  writeTables(join(folder, "small"), smallTables());
  const summary = await runShop(t, folder, ["--data", join(folder, "small")]);
  assert.deepEqual(summary, expectedSummary(smallTables()));
  assert.equal(summary["lateDeliveries"], 1);
});

test("a folder without orders gives figures of nothing", async (t) => {
  const folder = temporaryFolder(t);
  writeTables(join(folder, "none"), smallTables());
  const { writeFileSync, readFileSync } = await import("node:fs");
  const path = join(folder, "none", "orders.csv");
  writeFileSync(path, readFileSync(path, "utf8").split("\n").slice(0, 1).join("\n"));
  const { status, stdout, stderr } = await runExample(
    t,
    "shop/main.ts",
    ["--data", join(folder, "none"), "--url", "memory:", "--json"],
    folder,
  );
  assert.equal(status, 0, stderr);
  assert.equal((JSON.parse(stdout) as { orders: number }).orders, 0);
  assert.match(stderr, /order_items\.csv: 4 rows belong to orders that are not in orders\.csv/);
});

function blank(columns: readonly string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column) => [column, ""]));
}

/** The first orders with the rows that belong to them. */
function cut(tables: Tables, count: number): Tables {
  const orders = tables.orders.slice(0, count);
  const ids = new Set(orders.map((row) => row["order_id"]));
  const customers = new Set(orders.map((row) => row["customer_id"]));
  return {
    orders,
    items: tables.items.filter((row) => ids.has(row["order_id"])),
    payments: tables.payments.filter((row) => ids.has(row["order_id"])),
    customers: tables.customers.filter((row) => customers.has(row["customer_id"])),
  };
}
