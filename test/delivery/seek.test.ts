import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { bench, drive, Followed, Happened, totalsOf } from "./support.ts";

describe("seeks of one subscription", () => {
  it("that come at once follow each other, and every event is handled once in each run", async () => {
    const relay = service("relay").on(Happened, ({ data }, ctx) => {
      ctx.publish(Followed, { key: data.key, n: data.n });
    });
    const b = await bench([relay]);
    await b.feed("k", 0, 1, 2);
    const { subscriptions } = b.app.admin;
    const seeks = [1, 2, 3].map(() => subscriptions.seek("relay/things", "end"));
    const answers = await drive(b.clock, Promise.all(seeks));
    assert.ok(answers.flat().every(({ refusal }) => refusal === undefined));
    const { published } = await drive(b.clock, b.app.totals());
    await b.feed("k", 3, 4, 5);
    assert.equal((await drive(b.clock, b.app.totals())).published - published, 6);
    assert.equal((await totalsOf(b)).handled, 3);
    await b.app.stop();
  });

  it("are done once when their answer cannot be written, or is not known to be", async () => {
    for (const fail of ["before", "after"] as const) {
      const world = memoryWorld();
      const runs: number[] = [];
      const b = await bench([service("sink").on(Happened, ({ data }) => void runs.push(data.n))], { world });
      await b.feed("k", 0, 1, 2);
      const startMs = b.clock.monotonic();
      world.fail(({ transaction }) => {
        const writes = new Set(transaction?.documents?.map(({ collection }) => collection));
        const isAnswer = writes.has(collections.answers) && (fail === "after" || !writes.has(collections.positions));
        return isAnswer && b.clock.monotonic() < startMs + 5000 ? { fail } : undefined;
      });
      const sought = b.app.admin.subscriptions.seek("sink/things", "start");
      sought.catch(() => undefined);
      await b.clock.advance(10_000);
      assert.deepEqual(runs, [0, 1, 2, 0, 1, 2], `its answer fails ${fail} it takes effect`);
      assert.deepEqual(
        (await drive(b.clock, sought)).map(({ refusal }) => refusal),
        [undefined, undefined],
      );
      await b.app.stop();
    }
  });
});
