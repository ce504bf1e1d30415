// What holds for whole runs: the same seed gives the same run, nothing keeps the process alive, many fit into seconds.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { service } from "tidings";
import { testApp } from "tidings/testing";
import { OrderPlaced, PaymentCaptured, PaymentRefused, payments } from "./support.ts";

const root = join(import.meta.dirname, "../..");

/** A run with something of everything; what it recorded, ids and times included. */
async function run(seed: number): Promise<string> {
  const refusing = service("refusing").on(PaymentCaptured, ({ data }, ctx) => {
    if (Number(data.orderId) % 5 === 0 && ctx.attempt < 6) throw new Error("not yet");
    ctx.publish(PaymentRefused, { orderId: data.orderId });
  });
  await using kit = await testApp({ services: [payments(), refusing], seed });
  await kit.crash({ at: "before-commit", service: "refusing" });
  kit.fail("commit", { at: "after-effect", times: 2 });
  await kit.when(async () => {
    const all = Array.from({ length: 30 }, (_, n) => kit.app.publish(OrderPlaced, { orderId: String(n), total: n }));
    await Promise.all(all);
  });
  await kit.advance("10m");
  await kit.crash();
  await kit.thenDeadLetters([]);
  assert.equal(kit.recording().length, 90);
  return JSON.stringify(kit.recording());
}

describe("a run", () => {
  it("of the same seed records the same, to the last id and time", async () => {
    for (const seed of [1, 2, 3]) assert.equal(await run(seed), await run(seed));
  });

  it("of another seed takes another order", async () => {
    assert.notEqual(await run(1), await run(2));
  });

  it("leaves nothing behind that keeps the process alive, closed or not", { timeout: 60_000 }, () => {
    const folder = join(root, ".tmp", "testing");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "leaves-nothing.ts");
    writeFileSync(
      file,
      `import { service } from "tidings";
import { testApp } from "tidings/testing";
import { OrderPlaced, payments } from "../../test/testing/support.ts";
const stuck = service("stuck").on(OrderPlaced, () => new Promise<void>(() => undefined));
const abort = new AbortController();
for (const services of [[payments()], [stuck], [payments(), stuck]]) {
  for (const close of [true, false]) {
    const kit = await testApp({ services, handlerTimeoutMs: 20, signal: abort.signal });
    await kit.when(OrderPlaced, { orderId: "42", total: 9 }).catch(() => undefined);
    await kit.crash().catch(() => undefined);
    if (close) await kit.close();
  }
}
process.stdout.write("ended");
`,
    );
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--conditions=tidings-source", file], {
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.deepEqual({ stdout, stderr, status }, { stdout: "ended", stderr: "", status: 0 });
  });

  it("takes a few milliseconds", async (t) => {
    const scenarios = 1000;
    const startedAt = performance.now();
    for (let n = 0; n < scenarios; n++) {
      await using kit = await testApp({ services: [payments()], seed: n });
      await kit.given([OrderPlaced, { orderId: "1", total: 3 }]);
      await kit.when(OrderPlaced, { orderId: "1", total: 9 });
      await kit.thenPublished([PaymentCaptured, { orderId: "1" }]);
      await kit.thenState("payments", "sums", "1", 12);
    }
    t.diagnostic(`${scenarios} component scenarios in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  });
});
