import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "./support.ts";

const retry = { rules: [{ errorName: "RangeError", action: { do: "discard" } }] } as const;

describe("an event that a rule discards", () => {
  it("is known to the inbox as one that was handled is: a second copy of it is dropped", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const runs: number[] = [];
    const sink = () =>
      service("sink", { inbox: { windowMs: 60_000 }, retry }).on(Happened, ({ data }) => {
        runs.push(data.n);
        throw new RangeError("not for us");
      });
    // The engine itself forgets ids at once.
    const options = { world, platform, memberId: "one", deduplicationWindowMs: 1 };
    const send = async (): Promise<void> => {
      await drive(b.clock, b.app.publish(Happened, { key: "k", n: 0 }, { id: "the same" }));
      await b.clock.advance(10);
    };
    let b = await bench([sink()], options);
    await send();
    await drive(b.clock, b.app.stop());
    b = await bench([sink()], options);
    await send();
    assert.deepEqual(runs, [0]);
    const { discarded, filtered, pending } = await totalsOf(b);
    assert.deepEqual([discarded, filtered, pending], [1, 1, 0]);
    await b.app.stop();
  });

  it("and that runs again, because what it ran on top of was not committed, counts as what becomes of it then", async () => {
    let runs = 0;
    const sink = service("sink", { retry }).on(Happened, async ({ data }, ctx) => {
      const box = ctx.state<number>("box");
      if (data.n === 1) {
        if (runs++ === 0) throw new RangeError("not yet");
        return;
      }
      await box.get("it");
      if (runs === 0)
        await b.app.engine.transact?.({ documents: [{ collection: "state/sink/box", key: "it", value: "7" }] });
      box.set("it", 1);
    });
    const b = await bench([sink]);
    await b.feed("k", 0, 1);
    await b.clock.advance(1000);
    assert.equal(runs, 2);
    const { handled, discarded, pending } = await totalsOf(b);
    assert.deepEqual([handled, discarded, pending], [2, 0, 0]);
    await b.app.stop();
  });
});
