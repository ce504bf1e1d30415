// What a process that died may have been running: it may have killed it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PauseError, service, type ServiceOptions, topic } from "tidings";
import { z } from "zod";
import type { Delivery } from "../../src/delivery/lanes/delivery.ts";
import { Lane } from "../../src/delivery/lanes/lane.ts";
import type { Lanes } from "../../src/delivery/lanes/lanes.ts";
import { createSlots } from "../../src/delivery/lanes/slots.ts";
import { createSoloGate } from "../../src/delivery/lanes/solo-gate.ts";
import { SuspectGroup } from "../../src/delivery/partition/suspect-group.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { type Bench, bench, drive, gate, totalsOf } from "./support.ts";

const things = topic("line", { key: (data: { key: string }) => data.key, partitions: 1 });
const Happened = things.event("line.happened", { data: z.object({ key: z.string(), n: z.number() }) });

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A process that died while it ran these events, given as key and number, in one partition. */
async function died(events: readonly (readonly [string, number])[]) {
  const world = memoryWorld();
  const platform = virtualPlatform();
  const never = gate();
  const start = { world, platform, memberId: "one", topics: [things] };
  const hanging = service("sink", { concurrency: 256 }).on(Happened, () => never.opened);
  const first = await bench([hanging], start);
  for (const [key, n] of events) await drive(first.clock, first.app.publish(Happened, { key, n }));
  await first.rest();
  world.crash(first.app.engine);
  return {
    world,
    crash: (b: Bench): void => world.crash(b.app.engine),
    begin: (
      handler: (key: string, n: number) => Promise<void> | void,
      options: ServiceOptions = {},
    ): Promise<Bench> => {
      const sink = service("sink", { concurrency: 256, ...options });
      return bench([sink.on(Happened, ({ data }) => handler(data.key, data.n))], start);
    },
  };
}

describe("suspects", () => {
  it("run sixteen at a time before anything else of their process does, each of a key of its own", async () => {
    const keys = range(40).map((n) => `key-${n}`);
    const before = await died([...keys.map((key) => [key, 0] as const), ["key-39", 1], ["key-39", 2]]);
    const waiting: (() => void)[] = [];
    const begun: string[] = [];
    const b = await before.begin((key, n) => {
      begun.push(`${key}/${n}`);
      return new Promise((end) => waiting.push(end));
    });
    await b.rest();
    await drive(b.clock, b.app.publish(Happened, { key: "new", n: 0 }));
    const groups: number[] = [];
    while (waiting.length > 0) {
      groups.push(waiting.length);
      for (const end of waiting.splice(0)) end();
      await b.rest();
      await b.clock.advance(100);
    }
    // The three events of one key end three groups; then the gate opens.
    assert.deepEqual(groups, [16, 16, 8, 1, 1, 1]);
    assert.deepEqual(begun.slice(-4), ["key-39/0", "key-39/1", "key-39/2", "new/0"]);
    assert.equal((await totalsOf(b)).handled, 43);
    await b.app.stop();
  });

  it("that run together are not blamed for a death: they run alone after it, and only who kills then is given up", async () => {
    const keys = range(10).map((n) => `key-${n}`);
    const before = await died(keys.map((key) => [key, 0] as const));
    const never = gate();
    const together: number[] = [];
    const handled = new Set<string>();
    let deaths = 0;
    for (let dying = true; dying;) {
      dying = false;
      let begun = 0;
      const b = await before.begin((key) => {
        begun += 1;
        if (key === "key-4") dying = true;
        // Nothing ends any more in a process that is about to die.
        return dying ? never.opened : void handled.add(key);
      });
      await b.clock.advance(12_000);
      together.push(begun);
      if (dying) {
        deaths += 1;
        before.crash(b);
        continue;
      }
      const { handled: count, deadLetters, pending } = await totalsOf(b);
      assert.deepEqual([count, deadLetters, pending], [9, 1, 0]);
      const [letter] = await drive(b.clock, b.app.admin.deadLetters.list());
      assert.deepEqual([letter?.key, letter?.reason], ["key-4", "stalled"]);
      await b.app.stop();
    }
    // Once among all before, once among these ten, and three times alone.
    assert.equal(deaths, 4);
    assert.equal(together[0], 10);
    assert.equal(handled.size, 9);
  });

  it("that run together stop beginning when one of them pauses the subscription, and keep their order", async () => {
    const before = await died(range(6).map((n) => [`key-${n}`, n] as const));
    const seen: number[] = [];
    let pauses = true;
    const b = await before.begin(
      (_, n) => {
        if (n === 2 && pauses) throw new PauseError("maintenance", 60_000);
        seen.push(n);
      },
      { concurrency: 1, onFailure: "blockPartition" },
    );
    await b.rest();
    assert.deepEqual(seen, [0, 1]);
    pauses = false;
    await b.clock.advance(61_000);
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual((await totalsOf(b)).handled, 6);
    await b.app.stop();
  });

  it("that run together begin once the store says who they are, however often it must be asked", async () => {
    const before = await died(range(4).map((n) => [`key-${n}`, n] as const));
    let begun = 0;
    let refused = 0;
    const heal = before.world.fail(({ transaction }) => {
      if (!transaction?.documents?.some(({ value }) => value?.includes('"suspects"'))) return undefined;
      refused += 1;
      return { fail: "before" };
    });
    const b = await before.begin(() => void begun++);
    await b.clock.advance(1000);
    assert.ok(refused > 10, `${refused} times`);
    assert.equal(begun, 0);
    heal();
    await b.clock.advance(1000);
    assert.equal(begun, 4);
    await b.app.stop();
  });

  it("do not keep a process waiting for one of them that blocks its partition and keeps the only slot", async () => {
    const before = await died(range(4).map((n) => [`key-${n}`, n] as const));
    const handled: number[] = [];
    let fails = true;
    const b = await before.begin(
      (_, n) => {
        if (n === 0 && fails) throw new Error("not yet");
        handled.push(n);
      },
      {
        concurrency: 1,
        onFailure: "blockPartition",
        retry: { immediateMs: [], delayedMs: Array<number>(50).fill(60_000), jitter: "none" },
      },
    );
    await b.rest();
    // Another subscription of the process goes on meanwhile: its gate is open.
    const other = await drive(b.clock, b.app.publish(Happened, { key: "new", n: 9 }));
    assert.ok(other);
    assert.deepEqual(handled, []);
    assert.equal((await drive(b.clock, b.app.health())).subscriptions[0]?.running, 1);
    fails = false;
    await b.clock.advance(61_000);
    assert.deepEqual(handled, [0, 1, 2, 3, 9]);
    await b.app.stop();
  });

  it("wait in their lanes for each other: whose key is held meanwhile does not run", async () => {
    const ran: Delivery[] = [];
    const lanes = {
      enqueue(delivery: Delivery): void {
        delivery.lane = new Lane(delivery.record.key);
        delivery.lane.queue.push(delivery);
      },
      runAlone: async (delivery: Delivery) => void ran.push(delivery),
    } as unknown as Lanes;
    const group = new SuspectGroup({
      runtime: { gate: createSoloGate(), slots: createSlots(64) } as never,
      claims: undefined as never,
      lanes,
      mustWait: () => false,
      stopped: () => false,
    });
    const [held, free] = ["held", "free"].map((key) => ({ record: { key } }) as Delivery) as [Delivery, Delivery];
    group.add(held);
    group.add(free);
    // As the lanes do when an operator pauses a key.
    held.lane?.queue.splice(0);
    assert.equal(await group.run(), 1);
    assert.deepEqual(ran, [free]);
    assert.equal(free.lane?.running, free, "it is under way for everybody before it has a slot");
  });
});
