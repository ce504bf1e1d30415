import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Followed, gate, Happened, totalsOf } from "./support.ts";

/** A service that counts per key and publishes, with exactly-once effects to check. */
const counter = (before?: (n: number) => Promise<void> | void) =>
  service("counter")
    .on(Happened, async ({ data }, ctx) => {
      await before?.(data.n);
      const box = ctx.state<number[]>("seen");
      box.set(data.key, [...((await box.get(data.key)) ?? []), data.n]);
      ctx.publish(Followed, { key: data.key, n: data.n });
    })
    .on(Followed, () => undefined);

describe("after the death of a process", () => {
  it("what was running runs again first, and every effect happens once", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const waiting = gate();
    const first = await bench([counter((n) => (n === 2 ? waiting.opened : undefined))], {
      world,
      platform,
      memberId: "one",
    });
    await first.feed("a", 0, 1, 2, 3);
    await first.feed("b", 0, 1);
    world.crash(first.app.engine);
    const second = await bench([counter()], { world, platform, memberId: "one" });
    await second.rest();
    await second.clock.advance(11_000);
    const seen = second.app.state<number[]>("counter", "seen");
    assert.deepEqual(await drive(second.clock, seen.get("a")), [0, 1, 2, 3]);
    assert.deepEqual(await drive(second.clock, seen.get("b")), [0, 1]);
    const totals = await totalsOf(second);
    assert.deepEqual([totals.handled, totals.pending, totals.deadLetters], [12, 0, 0]);
    await second.app.stop();
  });

  it("what is published afterwards does not wait to run alone, although claims reach ahead", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const never = gate();
    const first = await bench([counter(() => never.opened)], { world, platform, memberId: "one" });
    await first.feed("a", 0);
    world.crash(first.app.engine);
    const suspect = gate();
    const others = gate();
    const begun = new Set<number>();
    const second = await bench(
      [
        counter((n) => {
          begun.add(n);
          return n === 0 ? suspect.opened : others.opened;
        }),
      ],
      { world, platform, memberId: "one" },
    );
    await second.rest();
    assert.deepEqual([...begun], [0]);
    for (let n = 1; n < 10; n++) await second.feed(`key-${n}`, n);
    assert.deepEqual([...begun], [0]);
    suspect.open();
    await second.rest();
    assert.equal(begun.size, 10);
    others.open();
    await second.rest();
    await second.app.stop();
  });

  it("an event that kills the process three times while it runs alone is parked, and its neighbours are not", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const deaths: string[] = [];
    const handled: string[] = [];
    const never = gate();
    let dying: string | undefined;
    const poisoned = service("sink").on(Happened, async ({ data }) => {
      if (data.key === "poison" && data.n === 1) {
        dying = data.key;
        await never.opened;
      }
      handled.push(`${data.key}${data.n}`);
    });
    let b = await bench([poisoned], { world, platform, memberId: "one" });
    await b.feed("good", 0);
    await b.feed("poison", 0, 1, 2);
    await b.feed("good", 1, 2);
    for (let i = 0; i < 6 && dying; i++) {
      deaths.push(dying);
      dying = undefined;
      world.crash(b.app.engine);
      b = await bench([poisoned], { world, platform, memberId: "one" });
      await b.rest();
    }
    await b.clock.advance(12_000);
    const totals = await totalsOf(b);
    assert.equal(deaths.length, 4);
    assert.equal(totals.deadLetters, 1);
    assert.deepEqual([...new Set(handled)].sort(), ["good0", "good1", "good2", "poison0"]);
    assert.equal(totals.held, 2);
    await b.app.stop();
  });

  it("an event that blocks its partition, and was running, lets other subscriptions go on between its tries", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const never = gate();
    let hangs = true;
    let tries = 0;
    const strict = service("strict", {
      onFailure: "blockPartition",
      retry: { immediateMs: [], delayedMs: [60_000, 60_000], jitter: "none" },
    }).on(Happened, async ({ data }) => {
      if (hangs) await never.opened;
      tries += 1;
      if (data.n === 0 && tries < 3) throw new Error("not yet");
    });
    const handled: number[] = [];
    const well = service("well").on(Followed, ({ data }) => void handled.push(data.n));
    const first = await bench([strict, well], { world, platform, memberId: "one" });
    await first.feed("a", 0, 1);
    world.crash(first.app.engine);
    hangs = false;
    const second = await bench([strict, well], { world, platform, memberId: "one" });
    await second.rest();
    assert.equal(tries, 1);
    await drive(second.clock, second.app.publish(Followed, { key: "a", n: 0 }));
    await second.clock.advance(1000);
    assert.deepEqual(handled, [0]);
    assert.equal(tries, 1, "nothing of its partition goes on");
    // It was not running when its process died.
    world.crash(second.app.engine);
    const third = await bench([strict, well], { world, platform, memberId: "one" });
    await third.clock.advance(200_000);
    const totals = await totalsOf(third, "strict/things");
    assert.deepEqual([totals.handled, totals.pending, totals.deadLetters], [2, 0, 0]);
    await third.app.stop();
  });

  it("held keys and their timers go on", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    let fail = true;
    const seen: number[] = [];
    const flaky = service("sink", { retry: { immediateMs: [], delayedMs: [60_000, 60_000], jitter: "none" } }).on(
      Happened,
      ({ data }) => {
        if (data.n === 0 && fail) throw new Error("down");
        seen.push(data.n);
      },
    );
    const first = await bench([flaky], { world, platform, memberId: "one" });
    await first.feed("k", 0, 1, 2);
    world.crash(first.app.engine);
    fail = false;
    const second = await bench([flaky], { world, platform, memberId: "one" });
    await second.feed("k", 3);
    assert.deepEqual(seen, []);
    await second.clock.advance(61_000);
    assert.deepEqual(seen, [0, 1, 2, 3]);
    const totals = await totalsOf(second);
    assert.deepEqual([totals.handled, totals.held, totals.pending], [4, 0, 0]);
    await second.app.stop();
  });

  it("an event that was running when its key was paused comes before those that waited behind it", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const never = gate();
    const first = await bench([service("sink").on(Happened, () => never.opened)], { world, platform, memberId: "one" });
    await first.feed("k", 0, 1);
    await drive(first.clock, first.app.admin.heldKeys.pause("sink/things", "k", { reason: "not now" }));
    await first.feed("k", 2);
    world.crash(first.app.engine);
    const seen: number[] = [];
    const sink = service("sink").on(Happened, ({ data }) => void seen.push(data.n));
    const second = await bench([sink], { world, platform, memberId: "one" });
    await second.clock.advance(1000);
    assert.deepEqual(seen, []);
    await drive(second.clock, second.app.admin.heldKeys.resume("sink/things", "k"));
    await second.clock.advance(1000);
    assert.deepEqual(seen, [0, 1, 2]);
    const { handled, held, pending } = await totalsOf(second);
    assert.deepEqual([handled, held, pending], [3, 0, 0]);
    await second.app.stop();
  });

  it("another member takes over, and the paused one that comes back changes nothing", async () => {
    const world = memoryWorld();
    const old = virtualPlatform({ seed: 1 });
    const waiting = gate();
    let late = false;
    const slow = counter((n) => (n === 1 && !late ? waiting.opened : undefined));
    const paused = await bench([slow], { world, platform: old, memberId: "one" });
    await paused.feed("a", 0, 1);
    // The first process stands still from here on: its clock does not move, its heartbeats do not come.
    late = true;
    const platform = virtualPlatform({ seed: 2, startMs: old.clock.now() });
    const other = await bench([slow], { world, platform, memberId: "two" });
    await other.clock.advance(30_000);
    old.clock.jump(30_000);
    waiting.open();
    await paused.rest();
    await other.rest();
    assert.deepEqual(await drive(other.clock, other.app.state<number[]>("counter", "seen").get("a")), [0, 1]);
    assert.equal((await drive(other.clock, other.app.totals())).published, 4);
    await other.app.stop();
  });
});
