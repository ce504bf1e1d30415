// Running the example shop, and data to run it on.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";

import { fileNames, type Tables } from "./shop-oracle.ts";

export const root = resolve(import.meta.dirname, "../..");

/** The folder with the real orders. It is not part of the repository; TIDINGS_OLIST says where else it is. */
export const olist = process.env["TIDINGS_OLIST"] ?? resolve(root, "../shared/data/olist");

/** For the option `skip` of a test: false, or why there is nothing to test with. */
export const withoutOlist: string | false = existsSync(join(olist, "orders.csv"))
  ? false
  : `the real orders are not in ${olist}; set TIDINGS_OLIST to their folder`;

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs an example as a user runs it, with Node on its source. It ends with the test at the latest. */
export function runExample(
  t: TestContext,
  file: string,
  args: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const flags = ["--conditions=tidings-source", "--disable-warning=ExperimentalWarning"];
  // node:test tells its children by NODE_TEST_CONTEXT; the example is none of them.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = { cwd, env: { ...env, ...environment }, signal: t.signal, killSignal: "SIGKILL" } as const;
  const child = spawn(process.execPath, [...flags, join(root, "examples", file), ...args], options);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((done, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => done({ status: code ?? 128, stdout, stderr: stderr + (signal ?? "") }));
  });
}

/** Runs the shop on a file in `folder` and answers its summary. */
export async function runShop(
  t: TestContext,
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await runExample(
    t,
    "shop/main.ts",
    ["--url", `sqlite:${join(folder, "shop.db")}`, "--json", ...args],
    folder,
    environment,
  );
  if (status !== 0) throw new Error(`The shop ended with status ${status}.\n${stderr}\n${stdout}`);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines.at(-1) ?? {};
}

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tidings-shop-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes tables as CSV files. */
export function writeTables(folder: string, tables: Tables): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of Object.entries(fileNames)) {
    const rows = tables[name as keyof Tables];
    const lines = [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))].map((each) => each.join(","));
    writeFileSync(join(folder, file), `${lines.join("\n")}\n`);
  }
  return folder;
}

/** A few orders of our own, in the columns of the real ones. */
export function smallTables(): Tables {
  const order = (id: string, status: string, times: string[]): Record<string, string> => ({
    order_id: id,
    customer_id: `c-${id}`,
    order_status: status,
    order_purchase_timestamp: times[0] ?? "",
    order_approved_at: times[1] ?? "",
    order_delivered_carrier_date: times[2] ?? "",
    order_delivered_customer_date: times[3] ?? "",
    order_estimated_delivery_date: "2017-10-18 00:00:00",
  });
  const item = (id: string, number: number, price: string, freight: string): Record<string, string> => ({
    order_id: id,
    order_item_id: String(number),
    product_id: `p-${number}`,
    seller_id: `s-${number}`,
    shipping_limit_date: "2017-10-06 11:07:15",
    price,
    freight_value: freight,
  });
  const payment = (id: string, number: number, type: string, value: string): Record<string, string> => ({
    order_id: id,
    payment_sequential: String(number),
    payment_type: type,
    payment_installments: "1",
    payment_value: value,
  });
  const times = ["2017-10-02 10:56:33", "2017-10-02 11:07:15", "2017-10-04 19:55:00", "2017-10-18 00:00:01"];
  return {
    orders: [
      order("one", "delivered", times),
      order("two", "canceled", times.slice(0, 2)),
      order("three", "delivered", times.slice(0, 1)),
      order("four", "created", times.slice(0, 1)),
    ],
    items: [
      item("one", 1, "29.99", "8.72"),
      item("one", 2, "0.1", "0.2"),
      item("two", 1, "5", "0.00"),
      item("four", 3, "7.00", "1.00"),
    ],
    payments: [
      payment("one", 1, "voucher", "18.59"),
      payment("one", 2, "credit_card", "20.40"),
      payment("two", 1, "boleto", "4.97"),
    ],
    customers: ["one", "two", "three", "four"].map((id) => ({
      customer_id: `c-${id}`,
      customer_unique_id: `u-${id}`,
      customer_zip_code_prefix: "11440",
      customer_city: "sao paulo",
      customer_state: id === "two" ? "RJ" : "SP",
    })),
  };
}
