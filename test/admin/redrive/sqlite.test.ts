// The same on a file, with real processes that are really killed.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { type Admin, createAdmin } from "../../../src/admin/admin.ts";
import type { RedriveReport } from "../../../src/admin/redrives.ts";
import { engineOfUrl } from "../../../src/app/engines.ts";
import { releaseDead } from "../../../src/app/member-id.ts";
import { collections } from "../../../src/delivery/records.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";

const flags = ["--conditions=tidings-source", "--disable-warning=ExperimentalWarning"];
const folder = mkdtempSync(join(tmpdir(), "tidings-redrive-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the application; resolves when everything published has been handled or given up. */
async function startApp(url: string, count = 0): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...flags, join(import.meta.dirname, "child.ts"), url, String(count)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  after(() => void child.kill("SIGKILL"));
  await new Promise<void>((ready, failed) => {
    child.stdout.on("data", (text: Buffer) => text.includes("ready") && ready());
    child.once("close", (status) => failed(new Error(`the application ended with ${status}`)));
  });
  return child;
}

const closed = (child: ChildProcess): Promise<void> =>
  new Promise((done) => ((child.exitCode ?? child.signalCode) === null ? child.once("close", () => done()) : done()));

async function openAdmin(url: string): Promise<{ admin: Admin; engine: Engine }> {
  const platform = systemPlatform();
  const engine = await (await engineOfUrl(url)).open({ platform });
  after(() => engine.close());
  const admin = createAdmin({
    engine, platform, by: "test", memberId: "test.0.x", freeDead: () => releaseDead(engine),
  }); // prettier-ignore
  return { admin, engine };
}

async function until(
  admin: Admin,
  id: string,
  holds: (report: RedriveReport) => boolean,
  seconds = 240,
): Promise<RedriveReport> {
  for (let i = 0; i < seconds * 50; i++) {
    const report = await admin.redrives.show(id);
    if (holds(report)) return report;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`it did not come to that: ${JSON.stringify(await admin.redrives.show(id))}`);
}

describe("a redrive on a file", () => {
  it("goes on in the next process when its driver is killed: nothing is lost, nothing done twice, the report is exact", async () => {
    const path = join(folder, "jobs.db");
    const url = `sqlite:${path}`;
    let app = await startApp(url, 600);
    const { admin, engine } = await openAdmin(url);
    assert.equal(await admin.deadLetters.count({ state: "open" }), 600);
    writeFileSync(`${path}.mended`, "");
    const { id } = await admin.redrives.start({ subscription: "worker" }, { ramp: [1, 10, 40] });
    for (const moved of [40, 200, 400]) {
      await until(admin, id, (report) => report.moved >= moved);
      app.kill("SIGKILL");
      await closed(app);
      app = await startApp(url);
    }
    const report = await until(admin, id, ({ endedAtMs }) => endedAtMs !== undefined);
    assert.deepEqual(
      [report.state, report.covered, report.moved, report.succeeded, report.failedAgain, report.skipped],
      ["done", 600, 600, 570, 30, 0],
    );
    const times = await engine.state!.scan(collections.state("worker", "times"), { limit: 1000 });
    assert.equal(times.length, 570);
    assert.ok(times.every(({ value }) => value === "1"));
    const left = await admin.deadLetters.list();
    assert.equal(left.length, 30);
    assert.ok(left.every(({ state, redrives }) => state === "open" && redrives === 1));
    assert.ok((await admin.subscriptions.show("worker")).equation.holds);
    for (const collection of [collections.redrives, collections.redriveItems, collections.intents])
      assert.equal(await engine.state!.count(collection), 0, collection);
    app.stdin!.end();
    await closed(app);
  });

  it("waits while no application runs, is cancelled without one, and stops at its abort rule", async () => {
    const path = join(folder, "waiting.db");
    const url = `sqlite:${path}`;
    const first = await startApp(url, 200);
    first.stdin!.end();
    await closed(first);
    const { admin, engine } = await openAdmin(url);
    const waiting = await admin.redrives.start({ subscription: "worker" });
    const cancelled = await admin.redrives.cancel(waiting.id, { reason: "not now" });
    assert.deepEqual([cancelled.state, cancelled.moved, typeof cancelled.endedAtMs], ["cancelled", 0, "number"]);
    const { id } = await admin.redrives.start(
      { subscription: "worker" },
      { ramp: [1, 10, 50], abort: { share: 0.02 } },
    );
    const app = await startApp(url);
    const report = await until(admin, id, ({ endedAtMs }) => endedAtMs !== undefined);
    // The worker is not mended: the second batch brings the known outcomes to eleven, the third one to more than twenty.
    assert.deepEqual([report.state, report.moved, report.failedAgain, report.batches], ["aborted", 61, 61, 3]);
    assert.equal(await admin.deadLetters.count({ state: "open" }), 200);
    assert.equal(await engine.state!.count(collections.redriveItems), 0);
    app.stdin!.end();
    await closed(app);
  });
});
