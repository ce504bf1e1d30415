// What operators ask for while somebody takes a partition over, and what it holds is still being read.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, gate, Happened, totalsOf } from "./support.ts";

describe("a partition that is being taken over", () => {
  it("does what operators ask for when it knows what it holds: a key that is paused keeps its events", async () => {
    for (let round = 0; round < 40; round++) {
      const world = memoryWorld();
      const platform = virtualPlatform();
      let broken = true;
      const seen: number[] = [];
      const sink = () =>
        service("sink").on(Happened, ({ data }) => {
          if (broken) throw new TerminalError("broken");
          seen.push(data.n);
        });
      const first = await bench([sink()], { world, platform, memberId: "one" });
      await first.feed("a", 0, 1, 2, 3);
      const before = await totalsOf(first);
      assert.equal(before.held, 4);
      world.crash(first.app.engine);
      const partitions = [0, 1].map((partition) => ({
        id: `pause-${partition}`, subscription: "sink/things", partition, by: "test", atMs: 0, kind: "pause-key", key: "a", reason: "looking",
      })); // prettier-ignore
      // From now on looks at the store are answered when they like, also a later one before an earlier one.
      let looks = round;
      world.fail(({ kind }) => (kind === "read" ? { answerDelayMs: (looks++ * 37) % 90 } : undefined));
      const engine = await world.open({ platform });
      const documents = partitions.map((intent) => ({
        collection: collections.intents, key: `sink/things/${intent.id}`, value: JSON.stringify(intent),
      })); // prettier-ignore
      await drive(platform.clock, Promise.resolve(engine.transact?.({ documents })));
      const second = await bench([sink()], { world, platform, memberId: "one" });
      await second.clock.advance(20_000);
      assert.equal((await totalsOf(second)).held, 4, `in round ${round}`);
      broken = false;
      const held = await drive(second.clock, engine.state?.scan(collections.held("sink/things"), { limit: 10 }) ?? Promise.resolve([])); // prettier-ignore
      const counts = held.map(({ value }) => JSON.parse(value) as { headSeq: number; nextSeq: number });
      assert.equal(counts.reduce((sum, { headSeq, nextSeq }) => sum + nextSeq - headSeq, 0), 4); // prettier-ignore
      await drive(second.clock, second.app.stop());
    }
  });

  it("and was being given up when keys were paused has what waited for its next try in front of what came behind it", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    const draining = gate();
    const keys = ["a", "b", "c", "d", "e", "f"];
    const seen: string[] = [];
    let broken = true;
    const sink = () =>
      service("sink", { retry: { immediateMs: [3_600_000] } }).on(Happened, async ({ data }) => {
        if (data.key.startsWith("slow")) return draining.opened;
        if (broken) throw new Error("not now");
        seen.push(`${data.key}${data.n}`);
      });
    const first = await bench([sink()], { world, platform, memberId: "one" });
    for (const key of keys) await first.feed(`slow-${key}`, 0);
    for (const key of keys) await first.feed(key, 1, 2, 3);
    // Another member joins: one partition is drained, and has left what waits for its next try to whoever comes next.
    const second = await bench([sink()], { world, platform, memberId: "two" });
    await second.rest();
    const engine = await world.open({ platform });
    const pauses = keys.flatMap((key) =>
      [0, 1].map((partition) => ({
        id: `pause-${key}-${partition}`, subscription: "sink/things", partition, by: "test", atMs: 0, kind: "pause-key", key, reason: "looking",
      })),
    ); // prettier-ignore
    const documents = pauses.map((intent) => ({
      collection: collections.intents, key: `sink/things/${intent.id}`, value: JSON.stringify(intent),
    })); // prettier-ignore
    await drive(clock, Promise.resolve(engine.transact?.({ documents })));
    await second.rest();
    broken = false;
    draining.open();
    await clock.advance(20_000);
    assert.equal(seen.length, 0);
    for (const key of keys) await drive(clock, second.app.admin.heldKeys.resume("sink/things", key));
    await clock.advance(3_700_000);
    for (const key of keys)
      assert.deepEqual(seen.filter((one) => one.startsWith(key)), [`${key}1`, `${key}2`, `${key}3`]); // prettier-ignore
    await drive(clock, Promise.all([first.app.stop(), second.app.stop()]));
  });
});
