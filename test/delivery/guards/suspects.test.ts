// What may have killed its process, behind guards.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, type ServiceOptions } from "tidings";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, drive, Followed, gate, Happened, totalsOf } from "../support.ts";
import { api } from "./support.ts";

/** Begins the processes of an application anew, each after the death of the one before, until nobody dies any more. */
async function mortal(bank: ReturnType<typeof api>, options: ServiceOptions & { declared?: boolean } = {}) {
  const { declared = true, ...rest } = options;
  const world = memoryWorld();
  const platform = virtualPlatform();
  const never = gate();
  const handled: string[] = [];
  const others: number[] = [];
  let dying = false;
  let deaths = 0;
  const sink = service("sink", rest).on(
    Happened,
    async ({ data }, ctx) => {
      await ctx.call(bank, () => undefined);
      if (data.key === "deadly" && data.n === 1) {
        dying = true;
        await never.opened;
      }
      handled.push(`${data.key}${data.n}`);
    },
    declared ? { uses: [bank] } : {},
  );
  sink.on(Followed, ({ data }) => void others.push(data.n));
  const start = (): ReturnType<typeof bench> => bench([sink], { world, platform, memberId: "one" });
  let b = await start();
  return {
    handled,
    others,
    bench: () => b,
    deaths: () => deaths,
    async run(forMs: number): Promise<void> {
      for (let i = 0; i < forMs / 100; i++) {
        await b.clock.advance(100);
        if (!dying) continue;
        dying = false;
        deaths += 1;
        world.crash(b.app.engine);
        if (deaths > 12) return;
        b = await start();
      }
    },
    async restart(): Promise<void> {
      await b.app.stop();
      b = await start();
    },
  };
}

const rated = (): ReturnType<typeof api> => api({ breaker: false, rate: { perSecond: 5, burst: 2 } });

describe("an event that kills its process behind a rate", () => {
  for (const declared of [true, false]) {
    it(`runs alone when its turn comes, and is given up; its handler ${declared ? "says" : "does not say"} what it uses`, async () => {
      const world = await mortal(rated(), { declared });
      for (const key of ["a", "b", "c", "d"]) await world.bench().feed(key, 0, 1);
      await world.bench().feed("deadly", 0, 1, 2);
      for (const key of ["e", "f"]) await world.bench().feed(key, 0, 1);
      await world.run(60_000);
      // Once among others, and three times alone.
      assert.equal(world.deaths(), 4);
      const { handled, held, deadLetters, pending } = await totalsOf(world.bench());
      assert.deepEqual([handled, held, deadLetters, pending], [13, 2, 1, 0]);
      assert.ok(!world.handled.includes("deadly2"), "nothing overtakes it");
      assert.equal(new Set(world.handled).size, 13);
      await world.bench().app.stop();
    });
  }

  it("is a suspect still after its process has stopped in peace while it waited, and others go on meanwhile", async () => {
    const world = await mortal(api({ breaker: false, rate: { perSecond: 0.5, burst: 1 } }));
    await world.bench().feed("a", 0);
    await world.bench().feed("deadly", 1);
    for (let n = 0; n < 8; n++) {
      await world.run(1000);
      const { app, clock } = world.bench();
      await drive(clock, app.publish(Followed, { key: `other-${n}`, n }));
      await world.run(200);
      assert.ok(world.others.includes(n), `other-${n} waited, too`);
      await world.restart();
    }
    await world.run(60_000);
    assert.equal(world.deaths(), 4);
    const { handled, held, deadLetters, pending } = await totalsOf(world.bench());
    assert.deepEqual([handled, held, deadLetters, pending], [9, 1, 1, 0]);
    await world.bench().app.stop();
  });
});
