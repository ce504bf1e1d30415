import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type App, dependency, service, tidings } from "tidings";
import { silentLogger } from "../../../src/delivery/log.ts";
import { Happened, things } from "../support.ts";

interface Call {
  readonly process: string;
  readonly at: number;
  readonly key: string;
  readonly n: number;
  readonly ok: boolean;
}

const child = fileURLToPath(new URL("child.ts", import.meta.url));

/** Two processes that call the same dependency, and an application that only publishes. */
async function start(
  t: TestContext,
  kind: string,
): Promise<{ app: App; calls: Call[]; up: () => void; children: readonly ChildProcess[] }> {
  const folder = mkdtempSync(join(tmpdir(), "tidings-guards-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "shop.db");
  const url = `sqlite:${file}`;
  const app = await tidings({ name: "publisher", url, topics: [things], logger: silentLogger }).start();
  t.after(() => app.stop());
  const calls: Call[] = [];
  const children: ChildProcess[] = [];
  for (const name of ["one", "two"]) {
    const args = ["--conditions=tidings-source", child, url, name, kind];
    const started = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => started.kill("SIGKILL"));
    children.push(started);
    await new Promise<void>((resolve) => {
      createInterface({ input: started.stdout }).on("line", (line) => {
        const [what, at, key = "", n, outcome] = line.split(" ");
        if (what === "ready") resolve();
        else calls.push({ process: name, at: Number(at), key, n: Number(n), ok: outcome === "ok" });
      });
    });
  }
  return { app, calls, children, up: () => writeFileSync(`${file}.up`, "") };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (await holds()) return;
    await setTimeout(10);
  }
  assert.fail(`it never came to this: ${what}`);
}

async function feed(app: App, keys: number, each: number): Promise<void> {
  for (let n = 0; n < each; n++)
    await app.publishAll(Array.from({ length: keys }, (_, key) => [Happened, { key: `k${key}`, n }] as const));
}

function assertOrder(calls: readonly Call[], keys: number, each: number): void {
  for (let key = 0; key < keys; key++) {
    const numbers = calls.filter((call) => call.ok && call.key === `k${key}`).map(({ n }) => n);
    assert.deepEqual(
      numbers,
      Array.from({ length: each }, (_, n) => n),
    );
  }
}

it("two processes on one file share a breaker: after it has opened one probes at a time, and then both go on", async (t) => {
  const { app, calls, up } = await start(t, "breaker");
  await feed(app, 20, 3);
  const breaker = async () => (await app.admin.breakers.list())[0];
  await until("the breaker is open", async () => (await breaker())?.state === "open");
  await setTimeout(200);
  const before = calls.length;
  const openings = (await breaker())?.openings ?? 0;
  await setTimeout(2500);
  const probes = calls.length - before;
  const failedProbes = ((await breaker())?.openings ?? 0) - openings;
  // Each failed probe opens it once more, and one may be under way at either end.
  assert.ok(probes >= 1 && Math.abs(probes - failedProbes) <= 1, `${probes} calls, ${failedProbes} openings`);
  assert.equal(await app.admin.deadLetters.count(), 0);
  up();
  await until("all calls are made", () => calls.filter(({ ok }) => ok).length === 60);
  assertOrder(calls, 20, 3);
  assert.equal((await breaker())?.state, "closed");
  assert.equal(new Set(calls.map((call) => call.process)).size, 2);
});

it("two processes on one file share a rate", async (t) => {
  const { app, calls, up } = await start(t, "rate");
  up();
  await feed(app, 20, 6);
  await until("all calls are made", () => calls.length === 120);
  assertOrder(calls, 20, 6);
  assert.equal(new Set(calls.map((call) => call.process)).size, 2);
  const times = calls.map(({ at }) => at);
  const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
  // 40 of the second, 4 of the burst, 4 of a slice; and what a busy machine was late with.
  assert.ok(most <= 40 + 4 + 4 + 4, `${most} calls within a second`);
});

it("the first failure opens a breaker on a file that has just been made, and nothing is called after it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tidings-guards-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let calls = 0;
  const bank = dependency("bank-api", { breaker: { failures: 1, openMs: 60_000 } });
  const payer = service("payer", { from: "start" }).on(
    Happened,
    (_, ctx) =>
      ctx.call(bank, () => {
        calls += 1;
        throw new Error("connection refused");
      }),
    { uses: [bank] },
  );
  const url = `sqlite:${join(folder, "shop.db")}`;
  const app = await tidings({ name: "shop", url, services: [payer], lifecycle: true, logger: silentLogger }).start();
  await app.publish(Happened, { key: "a", n: 0 });
  await until("the breaker is open", async () => (await app.admin.breakers.list())[0]?.state === "open");
  await setTimeout(300);
  assert.equal(calls, 1);
  assert.equal((await app.engine.topics.bounds("tidings.lifecycle"))[0]?.next, 1);
  await app.stop();
});
