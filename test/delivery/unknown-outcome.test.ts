// A commit of which nobody knows whether it took effect, while the next owner commits.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, gate, Happened, totalsOf } from "./support.ts";

describe("a commit of unknown outcome", () => {
  it("is not taken for the first one of the next owner: at most once, both would begin what it settles", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: string[] = [];
    const waiting = gate();
    const sink = (member: string) =>
      service("sink", { guarantee: "at-most-once", from: "start" }).on(Happened, () => {
        runs.push(member);
        return waiting.opened;
      });
    const one = await bench([sink("one")], { world, platform, memberId: "one" });
    const lost = new TidingsError("TIDINGS_OUTCOME_UNKNOWN", "The answer was lost.");
    // Its commit does not take effect, and from then on it hears of nothing for a while, as if it had been stopped.
    let silent = false;
    const heal = world.fail(({ engine, kind, transaction }) => {
      if (engine !== one.app.engine) return undefined;
      if (silent) return kind === "read" ? { delayMs: 5000 } : { fail: "before" };
      if (!transaction?.documents?.some(({ collection }) => collection === collections.positions)) return undefined;
      silent = true;
      return { fail: "before", error: lost };
    });
    await drive(platform.clock, one.app.publish(Happened, { key: "k", n: 0 }));
    const two = await bench([sink("two")], { world, platform, memberId: "one" });
    await platform.clock.advance(8000);
    heal();
    waiting.open();
    await platform.clock.advance(20_000);
    assert.deepEqual(runs, ["two"]);
    assert.equal((await totalsOf(two)).handled, 1);
    await drive(platform.clock, Promise.all([one.app.stop(), two.app.stop()]));
  });
});
