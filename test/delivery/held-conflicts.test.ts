// What operators say of a key while the commit of its head is on its way, and conflicts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { type Bench, bench, drive, gate, Happened } from "./support.ts";

/** A key of which the head runs for the second time, has read what another one has changed since, and is about to commit. */
async function headOfConflict(): Promise<Bench & { readonly seen: number[]; conflict(): Promise<void> }> {
  const world = memoryWorld();
  const platform = virtualPlatform();
  const seen: number[] = [];
  const waiting = gate();
  let runs = 0;
  const sink = service("sink", { retry: { immediateMs: [], delayedMs: [100], jitter: "none" } }).on(
    Happened,
    async ({ data }, ctx) => {
      await ctx.state("box").get("shared");
      if (++runs === 1) throw new Error("not yet");
      if (runs === 2) await waiting.opened;
      seen.push(data.n);
    },
  );
  const b = await bench([sink], { world, platform });
  await b.feed("k", 0, 1);
  await b.clock.advance(200);
  assert.equal(runs, 2);
  const other = await world.open({ platform });
  const conflict = async (): Promise<void> => {
    const documents = [{ collection: collections.state("sink", "box"), key: "shared", value: "1" }];
    await drive(b.clock, Promise.resolve(other.transact?.({ documents })));
    const heal = world.fail(({ transaction }) => (transaction?.checks?.length ? { answerDelayMs: 500 } : undefined));
    waiting.open();
    await b.clock.advance(10);
    heal();
  };
  return { ...b, seen, conflict };
}

describe("a held key of which the head conflicts", () => {
  it("stays paused when it was paused while the commit was on its way", async () => {
    const b = await headOfConflict();
    const { heldKeys } = b.app.admin;
    await b.conflict();
    await drive(b.clock, heldKeys.pause("sink/things", "k", { reason: "wait" }));
    await b.clock.advance(5000);
    assert.deepEqual(b.seen, [0, 0], "its head ran already, and runs again");
    await drive(b.clock, heldKeys.resume("sink/things", "k"));
    await b.clock.advance(1000);
    assert.deepEqual(b.seen, [0, 0, 1]);
    await b.app.stop();
  });

  it("goes on when its pause was ended while the commit was on its way", async () => {
    const b = await headOfConflict();
    const { heldKeys } = b.app.admin;
    await drive(b.clock, heldKeys.pause("sink/things", "k", { reason: "wait" }));
    await b.conflict();
    await drive(b.clock, heldKeys.resume("sink/things", "k"));
    await b.clock.advance(5000);
    assert.deepEqual(b.seen, [0, 0, 1]);
    await b.app.stop();
  });
});
