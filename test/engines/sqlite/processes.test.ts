import assert from "node:assert/strict";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards, bindings, child, entry, folder, open, pause, readAll, until } from "./support.ts";

/** Every event of the file, by id, and that positions have no gaps. */
async function everything(engine: Engine): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const partition of [0, 1]) {
    const records = await readAll(engine, "orders", partition);
    assert.deepEqual(
      records.map(({ position }) => position),
      records.map((_, index) => index),
    );
    for (const { id, position } of records) {
      assert.ok(!found.has(id), `${id} stands there twice`);
      found.set(id, `${partition} ${position}`);
    }
  }
  return found;
}

function acknowledged(lines: readonly string[]): [id: string, place: string][] {
  return lines
    .filter((line) => line.startsWith("ack "))
    .map((line) => {
      const [, id = "", partition, position] = line.split(" ");
      return [id, `${partition} ${position}`];
    });
}

for (const { binding, skip } of bindings) {
  describe(`several processes with ${binding}`, { skip }, () => {
    const env = { ...process.env, TIDINGS_TEST_OPTIONS: JSON.stringify({ binding }) };

    test("that publish to one file at once lose nothing and leave no gaps", async (t) => {
      const path = join(folder(t), "shop.db");
      const began = performance.now();
      const children = Array.from({ length: 4 }, (_, n) => child(["publish", path, `p${n}`, "1500"], [], { env }));
      for (const { ended, lines } of children) assert.equal(await ended, 0, lines.at(-1));
      t.diagnostic(`6000 events by 4 processes in ${Math.round(performance.now() - began)} ms`);
      const engine = await open(t, { path, binding });
      const found = await everything(engine);
      assert.equal(found.size, 6000);
      for (const { lines } of children) {
        const acks = acknowledged(lines);
        assert.equal(acks.length, 1500);
        for (const [id, place] of acks) assert.equal(found.get(id), place);
      }
      assert.deepEqual((await engine.verify()).problems, []);
    });

    test("lose nothing that was acknowledged when they are killed", async (t) => {
      const dir = folder(t);
      const path = join(dir, "shop.db");
      const oracle = openSync(join(dir, "oracle"), "a");
      const acks: [string, string][] = [];
      for (let round = 0; round < 6; round++) {
        const children = [0, 1].map((n) => child(["forever", path, `r${round}-p${n}`], [], { env }));
        await until("both publish", () => children.every(({ lines }) => lines.length > 20));
        await pause(round * 17);
        for (const { process } of children) process.kill("SIGKILL");
        for (const { ended, lines } of children) {
          await ended;
          const seen = acknowledged(lines);
          writeSync(oracle, seen.map((ack) => `${ack.join(" ")}\n`).join(""));
          acks.push(...seen);
        }
        fsyncSync(oracle);
      }
      closeSync(oracle);
      const engine = await open(t, { path, binding });
      const found = await everything(engine);
      for (const [id, place] of acks) assert.equal(found.get(id), place);
      assert.deepEqual((await engine.verify()).problems, []);
      t.diagnostic(`12 kills, ${acks.length} acknowledged, ${found.size} found`);
    });
  });
}

test("a watcher hears of what another process publishes, soon", async (t) => {
  const path = join(folder(t), "shop.db");
  const engine = await open(t, { path });
  await engine.topics.declare([
    { name: "orders", partitions: 2 },
    { name: "quiet", partitions: 1 },
  ]);
  let heard = 0;
  let quiet = 0;
  afterwards(
    t,
    engine.topics.watch("orders", () => heard++),
  );
  afterwards(
    t,
    engine.topics.watch("quiet", () => quiet++),
  );
  const other = child(["publish", path, "p", "50", "1"]);
  await until("it is heard", () => heard > 0);
  assert.equal(await other.ended, 0);
  assert.equal(quiet, 0);
});

test("the latency from a publish in one engine to the watcher of another is that of the poll at most", async (t) => {
  const path = join(folder(t), "shop.db");
  const publisher = await open(t, { path });
  const subscriber = await open(t, { path, pollMs: 25 });
  await publisher.topics.declare([{ name: "orders", partitions: 1 }]);
  let heardAt = 0;
  afterwards(
    t,
    subscriber.topics.watch("orders", () => (heardAt = performance.now())),
  );
  const latencies: number[] = [];
  for (let n = 0; n < 60; n++) {
    await pause(3 + (n % 7) * 3);
    heardAt = 0;
    await publisher.topics.publish([entry(n)]);
    const at = performance.now();
    await until("it is heard", () => heardAt > 0);
    latencies.push(Math.max(0, heardAt - at));
  }
  latencies.sort((a, b) => a - b);
  t.diagnostic(`p50 ${latencies[30]?.toFixed(2)}, p99 ${latencies.at(-1)?.toFixed(2)} ms after the acknowledgement`);
  assert.ok((latencies[30] ?? 99) < 60);
});

test("a process that is stopped inside a write holds up others no longer than their deadline", async (t) => {
  const path = join(folder(t), "shop.db");
  const engine = await open(t, { path, busyTimeoutMs: 300 });
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  const { DatabaseSync } = await import("node:sqlite");
  const blocker = new DatabaseSync(path);
  blocker.exec("BEGIN IMMEDIATE");
  const began = performance.now();
  await assert.rejects(engine.topics.publish([entry(1)]), { code: "TIDINGS_BUSY" });
  assert.ok(performance.now() - began < 3000);
  assert.equal((await readAll(engine)).length, 0);
  const waiting = engine.topics.publish([entry(2)]);
  await pause(50);
  blocker.exec("COMMIT");
  blocker.close();
  assert.equal((await waiting)[0]?.position, 0);
});
