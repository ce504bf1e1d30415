// What operators ask for while somebody takes a partition over, and what it holds is still being read.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "./support.ts";

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
});
