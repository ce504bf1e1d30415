// What a real disk does to a running application.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { smallDisk, without, withoutRoot, withoutSmallDisk, withoutStrace } from "../lib/machine.ts";
import { assertPromises, folder, Worker } from "./support.ts";

/** A log that is copied into the file and begun anew all the time, so that the disk gets full at each of these. */
const small = "checkpointBytes=65536&walRestartBytes=262144&walBytesMax=1048576";

describe("an application whose disk gets full", { skip: withoutSmallDisk(), timeout: 180_000 }, () => {
  it("refuses with a code, is red, and goes on without a restart when there is space, again and again", async (t) => {
    const disk = smallDisk(t, 24);
    const path = join(disk, "worker.db");
    const worker = new Worker(t, { path, options: small, pad: 500 });
    await worker.until("it publishes", () => worker.count("ack") > 50);
    for (let round = 0; round < 5; round++) {
      const ballast = join(disk, "ballast");
      // Each time at another moment: while the log grows, is copied, or is begun anew.
      await sleep(round * 37);
      spawnSync("dd", ["if=/dev/zero", `of=${ballast}`, "bs=16k"], { stdio: "ignore" });
      const full = worker.mark;
      await worker.until("it refuses", () => worker.count("fail TIDINGS_DISK_FULL", full) > 5);
      await worker.until("it is red", () => worker.lines.slice(full).some((line) => /^health red .*full/.test(line)));
      rmSync(ballast);
      const freed = worker.mark;
      await worker.until("it publishes again", () => worker.count("ack", freed) > 30);
      await worker.until("it is no longer red", () => {
        const health = worker.lines.slice(freed).findLast((line) => line.startsWith("health"));
        return health !== undefined && !health.startsWith("health red");
      });
    }
    await worker.stop();
    const codes = new Set(worker.lines.filter((line) => line.startsWith("fail")));
    assert.deepEqual([...codes], ["fail TIDINGS_DISK_FULL"]);
    await assertPromises(path, worker.acknowledged());
  });
});

describe("an application whose disk fails to sync", { timeout: 180_000 }, () => {
  it("acknowledges nothing more, is red and says so", { skip: withoutStrace() }, async (t) => {
    const path = join(folder(t), "worker.db");
    const inject = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO:when=80+"];
    const worker = new Worker(t, { path, wrap: ["strace", "-f", "-o", "/dev/null", ...inject] });
    await worker.until("it stops writing", () => worker.count("fail TIDINGS_DISK_FAILED") > 5);
    await worker.until("it is red", () => worker.lines.some((line) => /^health red .*stopped for good/.test(line)));
    const first = worker.lines.findIndex((line) => line.startsWith("fail"));
    assert.equal(worker.count("ack", first), 0, "it acknowledged after a failed sync");
    worker.kill();
    await worker.ended;
    await assertPromises(path, worker.acknowledged(), false);
    // After a restart on a disk that works everything that is there is handled, once.
    const next = new Worker(t, { path, from: 1_000_000 });
    await next.until("it publishes", () => next.count("ack") > 10);
    await next.stop();
    await assertPromises(path, [...worker.acknowledged(), ...next.acknowledged()]);
  });
});

describe("an application whose file goes away", { timeout: 180_000 }, () => {
  for (const [what, change] of [
    ["deleted", (path: string) => rmSync(path)],
    ["replaced", (path: string) => renameSync(path, `${path}.old`)],
  ] as const)
    it(`stops for good within two seconds when it is ${what}, instead of writing where nobody reads`, async (t) => {
      const path = join(folder(t), "worker.db");
      const worker = new Worker(t, { path });
      await worker.until("it publishes", () => worker.count("ack") > 50);
      change(path);
      const gone = worker.mark;
      const began = performance.now();
      await worker.until("it stops", () => worker.count("fail TIDINGS_DISK_FAILED", gone) > 5, 20_000);
      const ms = Math.round(performance.now() - began);
      await worker.until("it says why", () =>
        worker.lines.some((line) => /^health red .*moved, replaced or deleted/.test(line)),
      );
      const failed = worker.lines.findIndex((line) => line.startsWith("fail"));
      assert.equal(worker.count("ack", failed), 0);
      t.diagnostic(`stopped after ${ms} ms`);
    });
});

describe("a file that may not be written", { timeout: 180_000 }, () => {
  const skip = withoutRoot() || without("setpriv");
  /** Permissions mean nothing to root. */
  const wrap = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

  it("is refused at the start with what to do, and is as it was", { skip }, async (t) => {
    const place = folder(t);
    const path = join(place, "worker.db");
    writeFileSync(path, "");
    chmodSync(path, 0o444);
    chmodSync(place, 0o755);
    const worker = new Worker(t, { path, wrap });
    assert.equal(await worker.ended, 1);
    assert.match(worker.lines.join("\n"), /^refused TIDINGS_READ_ONLY Cannot write .*worker\.db/);
  });

  it("while it is open keeps what was acknowledged, and health says what fails", { skip }, async (t) => {
    const place = folder(t);
    const path = join(place, "worker.db");
    chownSync(place, 65534, 65534);
    const worker = new Worker(t, { path, wrap, options: "checkpointBytes=2000000" });
    await worker.until("it publishes", () => worker.count("ack") > 20);
    // Nobody but a new connection notices: the one of the thread that copies the log.
    for (const name of [path, `${path}-wal`, `${path}-shm`]) chmodSync(name, 0o444);
    const changed = worker.mark;
    await worker.until(
      "it goes on, or says what fails",
      () => worker.count("ack", changed) > 200 || worker.count("fail", changed) > 5,
    );
    const codes = [...new Set(worker.lines.filter((line) => line.startsWith("fail")))];
    assert.ok(
      codes.every((line) => /^fail TIDINGS_(READ_ONLY|DISK_FAILED|BUSY|PATH_UNUSABLE)$/.test(line)),
      codes.join(),
    );
    worker.kill();
    await worker.ended;
    for (const name of [path, `${path}-wal`, `${path}-shm`]) chmodSync(name, 0o644);
    await assertPromises(path, worker.acknowledged(), false);
  });
});
