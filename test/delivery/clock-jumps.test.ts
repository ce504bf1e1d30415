import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { PauseError, service } from "tidings";
import { host } from "../../src/app/member-id.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { ownerOf, partitionLeaseName } from "../../src/membership/names.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, type Bench, drive, Happened, totalsOf } from "./support.ts";

const hours = 3_600_000;

describe("when the wall clock is set back by hours", () => {
  /** What failed once and is to be tried again in 5 s, when the clock has been set back meanwhile. */
  async function failedBeforeTheJump(): Promise<{ readonly b: Bench; readonly runs: () => number }> {
    let runs = 0;
    const retry = { immediateMs: [], delayedMs: [5000], jitter: "none" } as const;
    const sink = service("sink", { retry }).on(Happened, () => {
      if (++runs === 1) throw new Error("not yet");
    });
    const b = await bench([sink]);
    await b.feed("k", 0);
    b.clock.jump(-5 * hours);
    return { b, runs: () => runs };
  }

  it("a delayed retry comes when its time has passed", async () => {
    const { b, runs } = await failedBeforeTheJump();
    await b.clock.advance(4900);
    assert.equal(runs(), 1);
    await b.clock.advance(200);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("a delayed retry comes when its time has passed, although the subscription was paused and resumed meanwhile", async () => {
    const { b, runs } = await failedBeforeTheJump();
    const { subscriptions } = b.app.admin;
    await drive(b.clock, subscriptions.pause("sink/things", { reason: "a look" }));
    await b.rest();
    await drive(b.clock, subscriptions.resume("sink/things"));
    await b.rest();
    assert.equal(runs(), 1);
    await b.clock.advance(5100);
    assert.equal(runs(), 2);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("a pause with an end ends when its time has passed", async () => {
    let runs = 0;
    const sink = service("sink").on(Happened, () => {
      if (++runs === 1) throw new PauseError("not now", 5000);
    });
    const b = await bench([sink]);
    await b.feed("k", 0);
    b.clock.jump(-5 * hours);
    await b.clock.advance(4900);
    assert.equal(runs, 1);
    await b.clock.advance(10_000);
    assert.equal(runs, 2);
    assert.equal((await totalsOf(b)).handled, 1);
    await b.app.stop();
  });

  it("the leases of a process of this machine that died before are free within a minute", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const engine = await world.open({ platform });
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const owner = ownerOf(`${host()}.${pid}.chance`, "start");
    const b = await bench([service("sink").on(Happened, () => undefined)], { world, platform });
    // As it was written when the clock was ahead.
    const names = [0, 1].map((partition) => partitionLeaseName("gone/things", { topic: "things", partition }));
    await drive(
      b.clock,
      engine.leases?.acquire(names.map((name) => ({ name, owner, ttlMs: 5 * hours }))) as Promise<unknown>,
    );
    await b.clock.advance(61_000);
    assert.deepEqual(await engine.leases?.list("partition/gone"), []);
    await drive(b.clock, b.app.stop());
    await engine.close();
  });
});
