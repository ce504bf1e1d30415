// What the machine does to a running application: file handles, clocks, and a stop for longer than a lease.
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { fleetOnTrace } from "./stopped.ts";
import { missing, without } from "../lib/machine.ts";
import { assertPromises, folder, Worker } from "./support.ts";

describe("an application without file handles", { timeout: 180_000 }, () => {
  it(
    "keeps what it has acknowledged, answers with codes, and recovers by itself",
    { skip: without("prlimit") },
    async (t) => {
      const path = join(folder(t), "worker.db");
      const options = "checkpointBytes=65536&walRestartBytes=262144&walBytesMax=1048576";
      const worker = new Worker(t, { path, options, pad: 300, wrap: ["prlimit", "--nofile=80"] });
      await worker.until("it runs", () => worker.lines.includes("ready"));
      worker.tell("hoard");
      await worker.until("all handles are taken", () => worker.count("hoarded") > 0);
      const without = worker.mark;
      await worker.until(
        "it goes on or refuses",
        () => worker.count("ack", without) + worker.count("fail", without) >= 8,
      );
      worker.tell("release");
      const released = worker.mark;
      await worker.until("it publishes again", () => worker.count("ack", released) > 100);
      await worker.until("it is no longer red", () => {
        const health = worker.lines.findLast((line) => line.startsWith("health"));
        return health !== undefined && !health.startsWith("health red");
      });
      await worker.stop();
      const refusals = new Set(worker.lines.filter((line) => line.startsWith("fail")));
      for (const line of refusals) assert.match(line, /^fail TIDINGS_/);
      t.diagnostic(
        `${worker.count("ack", without)} acknowledged, refused with: ${[...refusals].join(", ") || "nothing"}`,
      );
      await assertPromises(path, worker.acknowledged());
    },
  );

  it("says at the start that it cannot open its file", { skip: without("prlimit") }, async (t) => {
    const path = join(folder(t), "worker.db");
    // Enough for Node.js to start; how much that is differs by version.
    for (let handles = 24; handles < 60; handles += 1) {
      const worker = new Worker(t, { path, wrap: ["prlimit", `--nofile=${handles}`] });
      const refused = await Promise.race([
        worker.ended.then(() => worker.lines.find((line) => line.startsWith("refused"))),
        worker
          .until("it runs", () => worker.lines.includes("ready"))
          .then(
            () => "ready",
            () => undefined,
          ),
      ]);
      if (refused === "ready") {
        worker.kill();
        return t.diagnostic(`from ${handles} handles on it starts`);
      }
      if (refused !== undefined) assert.match(refused, /^refused TIDINGS_(PATH_UNUSABLE|DISK_FAILED|READ_ONLY) /);
    }
  });
});

/** libfaketime as Debian's package `faketime` installs it. */
const library = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));

describe("an application whose clock jumps", { timeout: 180_000 }, () => {
  const skip = library === undefined && missing("libfaketime is not where Debian puts it");

  for (const [what, offsets] of [
    ["an hour ahead and back", ["+3600", "+0"]],
    ["an hour back and ahead", ["-3600", "+0"]],
    ["back and forth by a day", ["-86400", "+86400", "-3600"]],
  ] as const)
    it(`${what} goes on publishing, handling and retrying, and does nothing twice`, { skip }, async (t) => {
      const place = folder(t);
      const path = join(place, "worker.db");
      const clock = join(place, "clock");
      writeFileSync(clock, "+0");
      const worker = new Worker(t, {
        path,
        env: {
          LD_PRELOAD: library ?? "",
          FAKETIME_TIMESTAMP_FILE: clock,
          FAKETIME_NO_CACHE: "1",
          // What an administrator or NTP sets is the wall clock.
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        },
      });
      await worker.until("it publishes", () => worker.count("ack") > 30);
      for (const offset of offsets) {
        const before = worker.mark;
        writeFileSync(clock, offset);
        await worker.until(`it goes on at ${offset} s`, () => worker.count("ack", before) > 60, 30_000);
      }
      // Events that failed wait for their timers: at rest they have all come.
      await worker.stop();
      assert.equal(
        worker.count("fail"),
        0,
        worker.lines.find((line) => line.startsWith("fail")),
      );
      assert.equal(
        worker.lines.some((line) => line.startsWith("health red")),
        false,
      );
      await assertPromises(path, worker.acknowledged());
    });
});

describe("a process that is stopped for longer than its lease", { timeout: 180_000 }, () => {
  it("is fenced when it comes back, and nothing is done twice", async (t) => {
    const { takenOver, ownedAgain, words } = await fleetOnTrace(t, folder(t));
    assert.ok(takenOver > 0, "nobody took over");
    assert.deepEqual(words, []);
    t.diagnostic(`${takenOver} partitions taken over, ${ownedAgain} take-overs in all`);
  });
});
