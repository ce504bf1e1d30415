import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, gate, Happened, totalsOf } from "./support.ts";

describe("deliveries that collide over a document", () => {
  it("run again after a crash, one at a time, though another process writes the document meanwhile", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const never = gate();
    let interfere = 0;
    const sum = (hang: boolean) =>
      service("sum").on(Happened, async ({ data }, ctx) => {
        const box = ctx.state<number>("sum");
        const before = (await box.get("all")) ?? 0;
        if (hang) await never.opened;
        if (interfere > 0) {
          interfere -= 1;
          await b.app.engine.transact?.({
            documents: [{ collection: "state/sum/sum", key: "all", value: String(before) }],
          });
        }
        box.set("all", before + data.n);
      });
    let b = await bench([sum(true)], { world, platform, memberId: "one" });
    await b.feed("a", 1, 2);
    await b.feed("b", 3);
    world.crash(b.app.engine);
    interfere = 3;
    b = await bench([sum(false)], { world, platform, memberId: "one" });
    await b.clock.advance(12_000);
    assert.equal(interfere, 0);
    assert.equal(await drive(b.clock, b.app.state<number>("sum", "sum").get("all")), 6);
    assert.deepEqual([(await totalsOf(b)).handled, (await totalsOf(b)).pending], [3, 0]);
    await b.app.stop();
  });

  it("do not hold up others when their partition goes to another member", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const sum = () =>
      service("sum").on(Happened, async ({ data }, ctx) => {
        const box = ctx.state<number>("sum");
        const before = (await box.get("all")) ?? 0;
        await ctx.sleep(5);
        box.set("all", before + data.n);
      });
    const one = await bench([sum()], { world, platform, memberId: "one" });
    for (let i = 0; i < 20; i++) void one.app.publish(Happened, { key: `k${i}`, n: 1 });
    await one.clock.advance(12);
    const two = await bench([sum()], { world, platform, memberId: "two" });
    await two.clock.advance(20_000);
    assert.equal(await drive(two.clock, two.app.state<number>("sum", "sum").get("all")), 20);
    assert.equal((await totalsOf(two)).handled, 20);
    await drive(two.clock, one.app.stop());
    await drive(two.clock, two.app.stop());
  });

  it("do not hold up others when their keys are paused while they wait for their turn", async () => {
    const sum = service("sum").on(Happened, async (_event, ctx) => {
      const box = ctx.state<number>("sum");
      const before = (await box.get("all")) ?? 0;
      await ctx.sleep(50);
      box.set("all", before + 1);
    });
    const b = await bench([sum]);
    const keys = [0, 1, 2, 3, 4, 5].map((i) => `k${i}`);
    for (const key of keys) void b.app.publish(Happened, { key, n: 1 });
    // One is through; the others have collided.
    await b.clock.advance(70);
    const { heldKeys } = b.app.admin;
    await drive(b.clock, Promise.all(keys.map((key) => heldKeys.pause("sum/things", key, { reason: "not now" }))));
    for (let i = 0; i < 6; i++) void b.app.publish(Happened, { key: `other${i}`, n: 1 });
    await b.clock.advance(5000);
    const { held, pending } = await totalsOf(b);
    assert.ok(held > 0);
    assert.equal(pending, 0);
    await Promise.allSettled(keys.map((key) => drive(b.clock, heldKeys.resume("sum/things", key))));
    await b.clock.advance(5000);
    assert.equal((await totalsOf(b)).handled, 12);
    await drive(b.clock, b.app.stop());
  });
});

describe("a delivery that waits between two tries", () => {
  it("does not keep the application from stopping", async () => {
    const b = await bench([
      service("sink", {
        onFailure: "blockPartition",
        retry: { immediateMs: [], delayedMs: [3_600_000], jitter: "none" },
      }).on(Happened, () => {
        throw new Error("in an hour");
      }),
    ]);
    await b.feed("k", 1);
    const before = b.clock.now();
    await drive(b.clock, b.app.stop());
    assert.ok(b.clock.now() - before < 1000);
  });
});
