// A journal on a broker that removes its front by itself.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode } from "tidings";

import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { journalTopic, snapshotType } from "../../src/journal/command.ts";
import { journaledEngine } from "../../src/journal/journaled.ts";
import { Replica } from "../../src/journal/replica.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { until } from "../engines/nats/support.ts";
import { bounding, leaving } from "./broker.ts";

const platform = systemPlatform();
const kept = 1024 * 1024;
const write = (engine: Engine, key: string, value: string | null) =>
  engine.transact!({ documents: [{ collection: "c", key, value }] });

async function opened(refuses?: (type: string) => boolean) {
  const world = memoryWorld();
  const broker = await world.open({ platform });
  const open = async (): Promise<Engine> =>
    journaledEngine(bounding(await world.open({ platform }), kept, refuses), platform);
  /** Parts of snapshots that are in the journal, and all its entries. */
  const entries = async () => {
    const { records } = await broker.topics.read(journalTopic, 0, 0, { events: 100_000, bytes: 1 << 30 });
    return { all: records.length, parts: records.filter(({ type }) => type.endsWith("snapshot")).length };
  };
  return { world, broker, open, entries };
}

describe("the time of a journal", () => {
  it("goes on as the clocks of its members do, whatever these say, and is the same at who came later", () => {
    const [all, half] = [new Replica(), new Replica()];
    const told = (replica: Replica, by: string, atMs: number): number => {
      replica.passedAt(by, atMs);
      return replica.timeMs;
    };
    assert.equal(told(all, "one", 1_000_000), 1_000_000);
    assert.equal(told(all, "ahead", 9_000_000), 1_000_000);
    assert.equal(told(all, "one", 1_000_500), 1_000_500);
    assert.equal(told(all, "ahead", 9_000_700), 1_000_700);
    assert.equal(told(all, "one", 1_000_600), 1_000_700);
    const later = Replica.restore(all.dump());
    for (const replica of [all, later]) {
      assert.equal(told(replica, "behind", 5), 1_000_700);
      // One that was set, or has slept, goes on from here.
      assert.equal(told(replica, "ahead", 19_000_000), 1_000_700);
      assert.equal(told(replica, "ahead", 19_000_100), 1_000_800);
      assert.equal(told(replica, "behind", 205), 1_000_900);
      // One that is right is taken at its word from the first.
      assert.equal(told(replica, "another", 1_002_000), 1_002_000);
    }
    assert.equal(later.dump(), all.dump());
    assert.deepEqual([later.isNew({ by: "one", n: 2 }), later.isNew({ by: "one", n: 2 }), later.isNew({ by: "one", n: 1 })], [true, false, false]); // prettier-ignore
    assert.equal(Replica.restore(later.dump()).isNew({ by: "one", n: 2 }), false);
    half.passed(10);
    half.passed(5);
    assert.equal(half.timeMs, 10);
  });
});

describe("a journal on a broker that removes its front by itself", () => {
  it("leaves snapshots by what was written, also long before there were many commands", async () => {
    const { broker, open, entries } = await opened();
    const one = await open();
    for (let n = 0; n < 40; n++) await write(one, "key", `${n}`.padEnd(20_000));
    const { all, parts } = await entries();
    // Each snapshot makes up for what it takes.
    assert.ok(parts >= 5 && parts <= 15, `${parts} parts among ${all} entries`);
    await Promise.all([one, broker].map((engine) => engine.close()));
  });

  it("has one member write each of them, however many there are", async () => {
    const { broker, open, entries } = await opened();
    const members = await Promise.all(Array.from({ length: 5 }, open));
    for (let n = 0; n < 40; n++)
      await Promise.all(members.map((member, m) => write(member, `key${m}`, `${n}`.padEnd(3000))));
    const { all, parts } = await entries();
    assert.ok(parts >= 5 && parts <= 15, `${parts} parts among ${all} entries`);
    await Promise.all([...members, broker].map((engine) => engine.close()));
  });

  it("takes no more documents than fit, and goes on when some are removed", async () => {
    const { broker, open } = await opened();
    const one = await open();
    const add = async (from: number): Promise<number> => {
      for (let n = from; ; n++) {
        const answer = await write(one, `key${n}`, "".padEnd(5000)).catch((error: unknown) => error as Error);
        if (answer instanceof Error) {
          assert.ok(hasCode(answer, "TIDINGS_DISK_FULL"));
          assert.match(answer.message, /is more than fits into its 1048576 bytes/);
          return n;
        }
      }
    };
    const count = await add(0);
    assert.ok(count > 10 && count < 20, `${count} documents were taken`);
    assert.equal((await write(one, "key0", "changed")).committed, true);
    for (const key of ["key1", "key2", "key3"]) await write(one, key, null);
    assert.equal(await add(count), count + 4);
    assert.equal(one.trouble(), undefined);
    await Promise.all([one, broker].map((engine) => engine.close()));
  });

  it("takes nothing while too much is in no snapshot, says so, and goes on when there is one", async () => {
    let refuses = true;
    const { broker, open, entries } = await opened((type) => refuses && type === snapshotType);
    const one = await open();
    const refusal = async (): Promise<unknown> => {
      for (let n = 0; n < 100; n++) {
        const error = await write(one, "key", `${n}`.padEnd(20_000)).then(() => undefined, (reason: unknown) => reason); // prettier-ignore
        if (error) return error;
      }
      return undefined;
    };
    assert.ok(hasCode(await refusal(), "TIDINGS_DISK_FULL"));
    assert.match(one.trouble() ?? "", /keeps 1048576 bytes, and too much of them is in no snapshot yet/);
    assert.deepEqual((await entries()).parts, 0);
    refuses = false;
    await until("a refused write has made room", () => write(one, "key", "small").then(() => true, () => false)); // prettier-ignore
    assert.equal(one.trouble(), undefined);
    assert.equal(await refusal(), undefined);
    await Promise.all([one, broker].map((engine) => engine.close()));
  });

  it("goes on from the last snapshot that is left, whoever opens it or was away meanwhile", async () => {
    const { broker, open, world } = await opened();
    const away = leaving(bounding(await world.open({ platform }), kept));
    const [one, late] = [await open(), journaledEngine(away.engine, platform)];
    await write(late, "mine", "1");
    away.leave();
    const reading = late.state!.get("c", ["key0"]);
    for (let n = 0; n < 300; n++) await write(one, `key${n % 3}`, `${n}`.padEnd(2000));
    await broker.topics.retain(journalTopic, { partitionBytesMax: kept / 4 });
    assert.ok((await broker.topics.bounds(journalTopic))[0]!.first > 100);
    away.comeBack();
    assert.equal((await reading)[0]?.version, 100);
    assert.equal((await write(late, "mine", "2")).committed, true);
    const two = await open();
    assert.deepEqual(await two.state!.scan("c", { limit: 10 }), await late.state!.scan("c", { limit: 10 }));
    assert.deepEqual(await two.state!.scan("c", { limit: 10 }), await one.state!.scan("c", { limit: 10 }));
    await Promise.all([one, two, late, broker].map((engine) => engine.close()));
  });
});
