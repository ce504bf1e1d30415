import assert from "node:assert/strict";
import { it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { seededRandom } from "../../src/platform/random.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { assertAllAccounted, type Bench, bench, drive, Followed, Happened } from "../delivery/support.ts";
import { newKey, Offered, pendingOf, stopAll } from "./overload-support.ts";

/** More, by hand: TIDINGS_SEEDS=1000. */
const seeds = Number(process.env["TIDINGS_SEEDS"] ?? 12);

/** What one seed makes of it. */
function plan(seed: number) {
  const random = seededRandom(seed);
  const upTo = (least: number, most: number): number => least + Math.floor(random.next() * (most - least + 1));
  const concurrency = upTo(1, 12);
  const handlerMs = upTo(2, 20);
  return {
    upTo,
    concurrency,
    handlerMs,
    perMs: concurrency / handlerMs,
    eventsMax: concurrency * upTo(3, 8),
    publishers: upTo(1, 4),
    /** Share of the events that lead to another one, which units of work publish. */
    follows: random.next() < 0.5 ? 0 : random.next() * 0.5,
    random,
  };
}

it("whatever publishers offer, and whoever dies: about as much is let in as is handled, nothing accepted is lost, and calm returns", async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const given = plan(seed);
    const { upTo, concurrency, handlerMs, eventsMax, publishers, follows, random } = given;
    const world = memoryWorld();
    const platform = virtualPlatform({ seed });
    const { clock } = platform;
    let made = 0;
    const sink = service("sink", { from: "start", concurrency, backlog: { eventsMax } })
      .on(Happened, async ({ data }, ctx) => {
        await ctx.sleep(handlerMs);
        if (random.next() < follows) ctx.publish(Followed, { ...data, n: (made += 1) });
      })
      .on(Followed, (_event, ctx) => ctx.sleep(handlerMs));
    const consume = (life: number) => bench([sink], { world, platform, memberId: `sink-${life}` });
    let consuming = await consume(0);
    const publishing: Bench[] = [];
    for (let i = 0; i < publishers; i++)
      publishing.push(await bench([], { world, platform, seed: seed * 10 + i, memberId: `publisher-${i}` }));
    const offered = new Offered();
    let most = 0;
    for (let phase = 0; phase < 6; phase++) {
      // Nothing, calm, and up to ten times what can be handled.
      const factor = [0, 0.5, 1, 2, 5, 10][upTo(0, 5)] as number;
      for (let ms = 0; ms < 300; ms++) {
        for (let due = factor * given.perMs + random.next(); due >= 1; due--)
          offered.one((publishing[upTo(0, publishers - 1)] as Bench).app, newKey());
        await clock.advance(1);
        if (ms % 20 === 0) most = Math.max(most, await pendingOf(publishing[0] as Bench));
      }
      if (random.next() < 0.3) {
        world.crash(consuming.app.engine);
        consuming = await consume(phase + 1);
      }
    }
    await drive(clock, offered.all());
    // Until it is known how many publish, each takes all the room there is.
    const bound = eventsMax * publishers + 2 * concurrency + 10;
    if (follows === 0) assert.ok(most <= bound, `seed ${seed}: ${most} pending, ${bound} expected at most`);
    await clock.advance(60_000);
    const totals = await drive(clock, consuming.app.totals());
    assertAllAccounted(totals);
    const [sum] = totals.subscriptions;
    assert.deepEqual([sum?.pending, sum?.deadLetters, sum?.held], [0, 0, 0], `seed ${seed}`);
    assert.equal(sum?.handled, totals.published, `seed ${seed}`);
    if (follows === 0) assert.equal(totals.published, offered.accepted, `seed ${seed}`);
    else assert.ok(totals.published >= offered.accepted, `seed ${seed}`);
    const after = new Offered();
    for (let i = 0; i < Math.min(20, eventsMax); i++) after.one((publishing[0] as Bench).app, newKey());
    await drive(clock, after.all());
    assert.equal(after.refused.length, 0, `seed ${seed}: refused when all is calm`);
    await stopAll(clock, [consuming, ...publishing]);
  }
});
