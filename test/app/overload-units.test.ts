import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type App, service, topic } from "tidings";
import { z } from "zod";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Followed, Happened, things, totalsOf } from "../delivery/support.ts";
import { offer, Offered, pendingOf, processes, stopAll } from "./overload-support.ts";

const tank = topic("tank", { key: (data: { key: string }) => data.key, partitions: 2 });
const Filled = tank.event("tank.filled", { data: z.object({ key: z.string(), n: z.number() }) });

describe("units of work", () => {
  it("are never refused: a consumer that publishes to its own topic comes to its end", async () => {
    const { clock, consuming, publishing, apps } = await processes(
      service("loop", { from: "start", concurrency: 2, backlog: { eventsMax: 4 } })
        .on(Happened, async ({ data }, ctx) => {
          await ctx.sleep(5);
          for (let n = 0; n < 10; n++) ctx.publish(Followed, { key: data.key, n });
        })
        .on(Followed, () => undefined),
    );
    const offered = await offer(clock, apps[0] as App, 1, 20);
    await drive(clock, offered.all());
    await clock.advance(5000);
    const { subscriptions } = await drive(clock, consuming.app.totals());
    assert.equal(subscriptions[0]?.handled, offered.accepted * 11);
    assert.ok(offered.refused.length > 0, "publishers from outside are refused meanwhile");
    await stopAll(clock, [consuming, ...publishing]);
  });

  it("may publish at once to a topic that is full; outside of handlers publishNow is refused as publish is", async () => {
    const own: { app?: App } = {};
    const running = await bench([
      service("loop", { from: "start", concurrency: 1, backlog: { eventsMax: 2 } })
        .on(Happened, async ({ data }, ctx) => {
          await ctx.sleep(50);
          await own.app?.publishNow(Followed, { key: data.key, n: 1 });
        })
        .on(Followed, () => undefined),
    ]);
    own.app = running.app;
    const { clock } = running;
    const offered = new Offered();
    for (let i = 0; i < 5; i++) offered.one(running.app, `k${i}`);
    await drive(clock, offered.all());
    assert.equal(offered.accepted, 2);
    await assert.rejects(drive(clock, running.app.publishNow(Happened, { key: "x", n: 0 })), {
      code: "TIDINGS_OVERLOADED",
    });
    await clock.advance(1000);
    const { subscriptions } = await drive(clock, running.app.totals());
    assert.deepEqual([subscriptions[0]?.handled, subscriptions[0]?.pending, subscriptions[0]?.deadLetters], [4, 0, 0]);
    await stopAll(clock, [running]);
  });

  it("that fill another's backlog beyond its reserve are run as slowly as it drains, and what waits, waits upstream", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    const feeder = service("feeder", { from: "start", prefetch: { events: 8 } }).on(
      Happened,
      ({ data }, ctx) => void ctx.publish(Filled, { key: data.key, n: data.n }),
    );
    const drain = service("drain", { from: "start", concurrency: 4, backlog: { eventsMax: 40 } }).on(
      Filled,
      (_event, ctx) => ctx.sleep(20),
    );
    const two = await bench([drain], { world, platform, memberId: "two", topics: [things, tank] });
    const one = await bench([feeder], { world, platform, memberId: "one", topics: [things, tank] });
    const offered = await offer(clock, one.app, 2, 1000);
    await drive(clock, offered.all());
    assert.equal(offered.refused.length, 0, "the feeder has no limit of its own");
    const { subscriptions } = await drive(clock, one.app.health());
    assert.equal(subscriptions[0]?.reason, "it fetches less, because what it publishes piles up at drain/tank");
    let most = 0;
    const handled: number[] = [];
    for (let i = 0; i < 40; i++) {
      await clock.advance(100);
      const { pending, handled: sum } = await totalsOf(one, "drain/tank");
      most = Math.max(most, pending);
      handled.push(sum);
    }
    // The reserve is as large as the limit; what was fetched before that comes on top.
    assert.ok(most <= 2 * 40 + 2 * 8 + 16, `${most} were pending`);
    // 4 at a time for 20 ms: 20 in 100 ms.
    const perStep = ((handled.at(-1) as number) - (handled[0] as number)) / 39;
    assert.ok(perStep > 18, `${perStep} were handled in 100 ms`);
    await clock.advance(10_000);
    assert.equal((await drive(clock, one.app.health())).subscriptions[0]?.reason, undefined);
    assert.deepEqual([await pendingOf(one), (await totalsOf(one, "drain/tank")).handled], [0, 2000]);
    await stopAll(clock, [one, two]);
  });

  it("go on in a circle of services that are all beyond their limits", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    const options = { from: "start", concurrency: 2, prefetch: { events: 4 }, backlog: { eventsMax: 3 } } as const;
    const there = service("there", options).on(Happened, async ({ data }, ctx) => {
      await ctx.sleep(1);
      for (let i = 0; i < data.n; i++) ctx.publish(Filled, { key: data.key, n: data.n - 1 });
    });
    const back = service("back", options).on(Filled, async ({ data }, ctx) => {
      await ctx.sleep(1);
      for (let i = 0; i < data.n; i++) ctx.publish(Happened, { key: data.key, n: data.n - 1 });
    });
    const one = await bench([there], { world, platform, memberId: "one", topics: [things, tank] });
    const two = await bench([back], { world, platform, memberId: "two", topics: [things, tank] });
    for (const key of ["a", "b", "c"]) await drive(clock, one.app.publish(Happened, { key, n: 5 }));
    await clock.advance(120_000);
    // One of 5 makes 5 of 4, 20 of 3, 60 of 2, 120 of 1 and 120 of 0.
    const sum = async (name: string) => (await totalsOf(one, name)).handled;
    assert.equal((await sum("there/things")) + (await sum("back/tank")), 3 * (1 + 5 + 20 + 60 + 120 + 120));
    assert.equal(await pendingOf(one), 0);
    await stopAll(clock, [one, two]);
  });
});
