// The figures stay the same whatever happens to the shop on the way.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { on, once } from "node:events";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { olist, root, runExample, runShop, temporaryFolder, withoutOlist } from "./shop.ts";
import { expectedSummary, readTables } from "./shop-oracle.ts";

const runs: [what: string, args: string[]][] = [
  ["when handlers fail at random", ["--fail", "0.05"]],
  ["when a third of all tries fail", ["--fail", "0.33", "--seed", "3"]],
  ["when seven orders fail for good and are mended", ["--poison", "7"]],
  ["when the process is killed ten times", ["--kills", "10"]],
  ["when three processes share the file", ["--processes", "3"]],
  ["when all of it happens at once", ["--processes", "3", "--kills", "6", "--fail", "0.05", "--poison", "7"]],
  ["when the orders are replayed in scaled event time", ["--speed", "20000000"]],
];

for (const [what, args] of runs) {
  test(`the figures are the same ${what}`, { skip: withoutOlist, timeout: 180_000 }, async (t) => {
    assert.deepEqual(
      await runShop(t, temporaryFolder(t), ["--data", olist, ...args]),
      expectedSummary(readTables(olist)),
    );
  });
}

test("a shop that has finished prints the same summary at once when it is started again", async (t) => {
  const folder = temporaryFolder(t);
  const first = await runShop(t, folder, ["--orders", "200"]);
  assert.deepEqual(await runShop(t, folder, ["--orders", "200"]), first);
  const again = await runExample(t, "shop/main.ts", ["--orders", "200", "--url", "sqlite:shop.db"], folder);
  assert.match(again.stdout, /^All of this was done by an earlier run/);
});

test("a shop that was killed by hand goes on where it was", async (t) => {
  const folder = temporaryFolder(t);
  for (let round = 1; round <= 2; round++) {
    const child = await startSlowly(t, folder);
    child.kill("SIGKILL");
    assert.deepEqual(await once(child, "close"), [null, "SIGKILL"]);
  }
  const whole = await runShop(t, temporaryFolder(t), ["--orders", "300"]);
  assert.deepEqual(await runShop(t, folder, ["--orders", "300"]), whole);
});

test("a shop that is asked to stop says how to go on, and does", async (t) => {
  const folder = temporaryFolder(t);
  const child = await startSlowly(t, folder);
  let said = "";
  child.stderr.on("data", (text: string) => (said += text));
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [143, null]);
  assert.match(said, /Started again with the same options, the shop goes on where it was/);
  const whole = await runShop(t, temporaryFolder(t), ["--orders", "300"]);
  assert.deepEqual(await runShop(t, folder, ["--orders", "300"]), whole);
});

test("a file that holds the orders of one feed refuses those of another", async (t) => {
  const folder = temporaryFolder(t);
  await runShop(t, folder, ["--orders", "20"]);
  const { status, stderr } = await runExample(t, "shop/main.ts", ["--orders", "21", "--url", "sqlite:shop.db"], folder);
  assert.equal(status, 2);
  assert.match(stderr, /holds the orders of another feed \(20 generated orders, seed 1\)/);
  const fresh = await runShop(t, folder, ["--orders", "21", "--fresh"]);
  assert.equal(fresh["orders"], 21);
});

test("poisoned orders are shown with what waits behind them, and end in the same figures", async (t) => {
  const folder = temporaryFolder(t);
  const { status, stdout, stderr } = await runExample(
    t,
    "shop/main.ts",
    ["--orders", "200", "--poison", "3", "--json"],
    folder,
  );
  assert.equal(status, 0, stderr);
  const [shown, summary] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const trouble = shown?.["trouble"] as Record<string, unknown>[];
  assert.equal(trouble.length, 3);
  for (const each of trouble) {
    assert.equal(each["subscription"], "orders/orders");
    assert.equal(each["type"], "shop.order.placed");
    assert.equal(each["reason"], "terminal");
    assert.ok((each["waiting"] as number) >= 1);
  }
  assert.deepEqual(summary, await runShop(t, temporaryFolder(t), ["--orders", "200"]));
});

test("people get a page with what to try next", async (t) => {
  const { status, stdout, stderr } = await runExample(t, "shop/main.ts", ["--orders", "50"], temporaryFolder(t));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Done in .* s on sqlite:shop-data.shop\.db\.$/m);
  assert.match(stdout, /^ {2}orders +50 \(/m);
  assert.match(stdout, /npm start -- --fresh --poison 7/);
});

/** Starts a shop that needs about 20 seconds of event time, and resolves when it feeds. */
async function startSlowly(t: TestContext, folder: string) {
  const program = ["--conditions=tidings-source", join(root, "examples/shop/main.ts")];
  const args = ["--orders", "300", "--speed", "100000", "--url", `sqlite:${join(folder, "shop.db")}`];
  const child = spawn(process.execPath, [...program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  for await (const [text] of on(child.stderr.setEncoding("utf8"), "data", { signal: t.signal })) {
    said += text as string;
    if (/ feeding /.test(said)) return child;
  }
  return child;
}
