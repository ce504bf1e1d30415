import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { readOrders } from "../../examples/shop/feed/csv.ts";
import { runExample, smallTables, temporaryFolder, writeTables } from "./shop.ts";

/** What is done to a file, and the sentence that follows. */
const faults: [what: string, file: string, from: string | RegExp, to: string, sentence: string][] = [
  ["a price that is no number", "order_items.csv", "29.99", "29,99x", 'order_items.csv, line 2, column freight_value: the row has 8 fields and the header 7.'],
  ["a price with letters", "order_items.csv", "29.99", "abc", 'order_items.csv, line 2, column price: "abc" is not an amount of money such as 12.90.'],
  ["a tenth of a cent", "order_items.csv", "8.72", "8.721", 'order_items.csv, line 2, column freight_value: "8.721" is not an amount of money such as 12.90.'],
  ["a negative price", "order_items.csv", "29.99", "-1.00", 'order_items.csv, line 2, column price: "-1.00" is not an amount of money such as 12.90.'],
  ["an empty payment", "order_payments.csv", ",20.40", ",", "order_payments.csv, line 3, column payment_value: is empty."],
  ["a half instalment", "order_payments.csv", ",1,20.40", ",1.5,20.40", 'order_payments.csv, line 3, column payment_installments: "1.5" is not a whole number of at least 0.'],
  ["a day that does not exist", "orders.csv", "2017-10-04 19:55:00", "2017-02-30 19:55:00", 'orders.csv, line 2, column order_delivered_carrier_date: "2017-02-30 19:55:00" is not a time such as 2017-10-02 10:56:33.'],
  ["a date of another country", "orders.csv", "2017-10-04 19:55:00", "04/10/2017 19:55", 'orders.csv, line 2, column order_delivered_carrier_date: "04/10/2017 19:55" is not a time such as 2017-10-02 10:56:33.'],
  ["no estimate", "orders.csv", /,2017-10-18 00:00:00\nfour/, ",\nfour", "orders.csv, line 4, column order_estimated_delivery_date: is empty."],
  ["an unknown status", "orders.csv", ",canceled,", ",cancelled,", 'orders.csv, line 3, column order_status: "cancelled" is none of created, approved, processing, invoiced, shipped, delivered, unavailable, canceled.'],
  ["a missing column", "orders.csv", "order_status", "status", "orders.csv, line 1: the header has no column order_status."],
  ["a short row", "customers.csv", ",sao paulo,RJ", ",sao paulo", "customers.csv, line 3, column customer_state: the row has 4 fields and the header 5."],
  ["a quote that is never closed", "customers.csv", ",sao paulo,RJ", ',"sao paulo,RJ', "customers.csv, line 3, column customer_city: a quote is opened here and never closed."],
  ["a quote inside a field", "customers.csv", ",sao paulo,RJ", ',sao "paulo",RJ', "customers.csv, line 3, column customer_city: a quote stands where none may."],
  ["text after a closing quote", "customers.csv", ",sao paulo,RJ", ',"sao" paulo,RJ', "customers.csv, line 3, column customer_city: a quote stands where none may."],
  ["an order that stands there twice", "orders.csv", "three,c-three", "one,c-one", 'orders.csv, line 4, column order_id: "one" stands here twice.'],
  ["an item that stands there twice", "order_items.csv", "one,2", "one,1", 'order_items.csv, line 3, column order_item_id: "1" stands here twice for the order one.'],
  ["a customer that is not there", "customers.csv", "c-two", "c-2", 'orders.csv, line 3, column customer_id: "c-two" is not in customers.csv.'],
  ["an empty file", "order_payments.csv", /^[^]*$/, "", "order_payments.csv, line 1: the file is empty where its header should be."],
]; // prettier-ignore

for (const [what, file, from, to, sentence] of faults) {
  test(`refuses ${what} and says where it is`, (t) => {
    const folder = writeTables(temporaryFolder(t), smallTables());
    edit(join(folder, file), from, to);
    assert.throws(() => readOrders(folder), { code: "TIDINGS_INVALID_INPUT", message: sentence });
  });
}

test("refuses a folder without one of the files", (t) => {
  const folder = writeTables(temporaryFolder(t), smallTables());
  rmSync(join(folder, "customers.csv"));
  assert.throws(() => readOrders(folder), {
    code: "TIDINGS_INVALID_INPUT",
    message: /customers\.csv cannot be read: it does not exist\.$/,
  });
});

test("a line number counts the lines inside quoted fields", (t) => {
  const folder = writeTables(temporaryFolder(t), smallTables());
  edit(join(folder, "customers.csv"), ",sao paulo,RJ", ',"sao\npaulo",RJ');
  edit(join(folder, "customers.csv"), "c-four", "");
  assert.throws(() => readOrders(folder), { message: "customers.csv, line 6, column customer_id: is empty." });
});

test("reads files from Windows: carriage returns and a byte order mark", (t) => {
  const folder = writeTables(temporaryFolder(t), smallTables());
  const plain = readOrders(folder);
  for (const file of ["orders.csv", "order_items.csv", "order_payments.csv", "customers.csv"]) {
    edit(join(folder, file), /^/, "\uFEFF");
    edit(join(folder, file), /\n/g, "\r\n");
  }
  assert.deepEqual(readOrders(folder), plain);
});

test("malformed input ends the shop with status 2 and one sentence, and leaves no file behind", async (t) => {
  const folder = temporaryFolder(t);
  writeTables(join(folder, "data"), smallTables());
  edit(join(folder, "data", "order_items.csv"), "29.99", "abc");
  const run = (...args: string[]) => runExample(t, "shop/main.ts", ["--data", "data", ...args], folder);
  for (const args of [[], ["--json"], ["--processes", "3", "--kills", "2"]]) {
    const { status, stdout, stderr } = await run(...args);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.equal(
      stderr,
      'error: order_items.csv, line 2, column price: "abc" is not an amount of money such as 12.90. (TIDINGS_INVALID_INPUT)\n',
    );
    assert.ok(!existsSync(join(folder, "shop-data")));
  }
});

test("wrong options end the shop with status 2 and a sentence", async (t) => {
  const folder = temporaryFolder(t);
  for (const [args, sentence] of [
    [["--kils", "3"], /unknown option '--kils'\n\(Did you mean --kills\?\)/],
    [
      ["--kills", "few"],
      /option '--kills <count>' argument 'few' is invalid\. It must be a whole number of at least 0\./,
    ],
    [["--fail", "5"], /argument '5' is invalid\. It must be a number from 0 to 1, such as 0\.05\./],
    [["--speed", "0"], /It must be a number above 0\./],
    [["--url", "memory:", "--kills", "1"], /--kills and --processes need an engine that outlives a process/],
    [["olist"], /too many arguments/],
  ] as const) {
    const { status, stdout, stderr } = await runExample(t, "shop/main.ts", args, folder);
    assert.equal(status, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, sentence);
  }
});

function edit(path: string, from: string | RegExp, to: string): void {
  const text = readFileSync(path, "utf8");
  const edited = text.replace(from, to);
  assert.notEqual(edited, text, `the fault does not fit ${path}`);
  writeFileSync(path, edited);
}
