import assert from "node:assert/strict";
import { it } from "node:test";
import { service } from "tidings";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { seededRandom } from "../../../src/platform/random.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import type { Leases } from "../../../src/ports/leases.ts";
import { bench, type Bench, drive, Followed, Happened, totalsOf } from "../support.ts";
import { api, callIt, outside, succeededInOrder } from "./support.ts";

/** More, by hand: TIDINGS_SEEDS=1000. */
const seeds = Number(process.env["TIDINGS_SEEDS"] ?? 12);
const keys = ["a", "b", "c", "d", "e"] as const;

it("whatever opens and closes a breaker: each key's calls succeed in order, and nothing is lost, parked or called too often", async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seededRandom(seed);
    const below = (most: number): number => Math.floor(random.next() * most);
    const bank = outside();
    const bankApi = api({
      breaker: { failures: 2, openMs: 100, openMsMax: 400 },
      ...(seed % 3 === 0 ? { rate: { perSecond: 40, burst: 4 } } : {}),
    });
    const uses = seed % 4 === 0 ? {} : { uses: [bankApi] };
    const make = () =>
      service("payer", {
        concurrency: 3,
        prefetch: { events: 8 },
        retry: { immediateMs: [0], delayedMs: Array.from({ length: 30 }, () => 50), jitter: "full" },
      })
        .on(
          Happened,
          async ({ data }, ctx) => {
            if (data.n % 3 === 0) await ctx.sleep(below(40));
            await ctx.call(bankApi, () => callIt(bank, data, ctx));
          },
          uses,
        )
        .on(Followed, () => undefined);
    const world = memoryWorld();
    const platform = virtualPlatform({ seed });
    const one = await bench([make()], { world, platform, memberId: "one" });
    const two = await bench([make()], { world, platform, memberId: "two" });
    const { clock } = one;
    await clock.advance(15_000);
    const sent = new Map<string, number>();
    const work: Promise<unknown>[] = [];
    for (let step = 0; step < 80; step++) {
      work.push(doSomething(below, [one, two], sent, bank).catch(() => undefined));
      await clock.advance(below(60));
    }
    bank.up = true;
    await drive(clock, Promise.all(work));
    await drive(
      clock,
      one.app.admin.breakers.close("bank-api", { reason: "it is up" }).catch(() => undefined),
    );
    await clock.advance(60_000);
    for (const key of keys) {
      const numbers = Array.from({ length: sent.get(key) ?? 0 }, (_, n) => n);
      assert.deepEqual([...new Set(succeededInOrder(bank, key))], numbers, `seed ${seed}, key ${key}`);
    }
    const { deadLetters, held, pending, handled } = await totalsOf(one);
    const total = [...sent.values()].reduce((sum, count) => sum + count, 0);
    assert.deepEqual([seed, deadLetters, held, pending, handled], [seed, 0, 0, 0, total]);
    await drive(clock, Promise.all([one.app.stop(), two.app.stop()]));
  }
});

async function doSomething(
  below: (most: number) => number,
  benches: readonly Bench[],
  sent: Map<string, number>,
  bank: { up: boolean },
): Promise<unknown> {
  const { app } = benches[below(benches.length)] as Bench;
  const dice = below(100);
  if (dice < 70) {
    const key = keys[below(keys.length)] as string;
    const n = sent.get(key) ?? 0;
    sent.set(key, n + 1);
    return app.publish(Happened, { key, n });
  }
  if (dice < 84) return void (bank.up = !bank.up);
  if (dice < 90) return app.admin.breakers.open("bank-api", { reason: "by chance" });
  if (dice < 95) return app.admin.breakers.close("bank-api", { reason: "by chance" });
  const leases = app.engine.leases as Leases;
  const held = await leases.list(dice < 98 ? "partition/" : "breaker/");
  if (held.length > 0) await leases.release([held[below(held.length)] as never]);
  return undefined;
}
