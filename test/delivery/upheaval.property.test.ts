import assert from "node:assert/strict";
import { it } from "node:test";
import { ConflictError, type Context, PauseError, RetryAfterError, service, TerminalError } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { seededRandom } from "../../src/platform/random.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Leases } from "../../src/ports/leases.ts";
import { bench, type Bench, drive, Followed, Happened, totalsOf } from "./support.ts";

const keys = ["a", "b", "c", "d"] as const;
const name = "sink/things";
/** More, by hand: TIDINGS_SEEDS=1000. */
const seeds = Number(process.env["TIDINGS_SEEDS"] ?? 20);

/** What one seed makes happen. */
class Upheaval {
  readonly published = new Map<string, number>();
  calm = false;
  readonly #random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  chance(share: number): boolean {
    return this.#random.next() < share;
  }

  upTo(most: number): number {
    return this.#random.next() * most;
  }

  one<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.upTo(items.length))] as Item;
  }

  /** Fails in every way there is, until it is calm. */
  fail(): void {
    if (this.calm) return;
    if (this.chance(0.1)) throw new Error("not now");
    if (this.chance(0.03)) throw new TerminalError("never");
    if (this.chance(0.04)) throw new RetryAfterError("later", 70);
    if (this.chance(0.04)) throw new ConflictError("again");
    if (this.chance(0.01)) throw new PauseError("nobody now", 100);
    if (this.chance(0.01)) throw undefined as unknown as Error;
  }

  async handle({ key }: { readonly key: string; readonly n: number }, ctx: Context): Promise<void> {
    if (this.chance(0.3)) await ctx.sleep(this.upTo(100));
    this.fail();
    const seen = ctx.state<number[]>("seen");
    const before = (await seen.get(key)) ?? [];
    if (this.chance(0.2)) await ctx.sleep(20);
    seen.set(key, [...before, ctx.position]);
    const sums = ctx.state<number>("sums");
    sums.set("all", ((await sums.get("all")) ?? 0) + 1);
    ctx.publish(Followed, { key, n: ctx.position });
  }

  service() {
    const retry = { immediateMs: [0, 5], delayedMs: [50, 100, 100], jitter: "full" } as const;
    return service("sink", { concurrency: 3, prefetch: { events: 12 }, timeoutMs: 5000, retry })
      .on(Happened, ({ data }, ctx) => this.handle(data, ctx))
      .on(Followed, () => undefined);
  }

  /** One thing that somebody does. */
  async step({ app, clock }: Bench): Promise<unknown> {
    const { deadLetters, heldKeys } = app.admin;
    const key = this.one(keys);
    if (this.chance(0.55)) {
      this.published.set(key, (this.published.get(key) ?? 0) + 1);
      return app.publish(Happened, { key, n: 0 });
    }
    if (this.chance(0.2)) return steal(app.engine.leases as Leases, (items) => this.one(items));
    if (this.chance(0.3))
      return heldKeys.pause(name, key, {
        reason: "x",
        ...(this.chance(0.5) ? { untilMs: clock.now() + this.upTo(200) } : {}),
      });
    return this.chance(0.5) ? heldKeys.resume(name, key) : deadLetters.redrive({});
  }
}

/** Takes a partition away from its owner, as somebody does who believes it dead. */
async function steal(leases: Leases, one: <Item>(items: readonly Item[]) => Item): Promise<void> {
  const held = await leases.list("partition/");
  if (held.length > 0) await leases.release([one(held)]);
}

/** Resumes and redrives until nothing is held. */
async function mend({ app, clock }: Bench): Promise<void> {
  const { deadLetters, heldKeys, subscriptions } = app.admin;
  for (let round = 0; round < 12; round++) {
    await drive(
      clock,
      Promise.allSettled([subscriptions.resume(name), ...keys.map((key) => heldKeys.resume(name, key))]),
    );
    await drive(clock, deadLetters.redrive({}));
    await clock.advance(6000);
  }
}

it("whatever fails, is paused, redriven or taken away: each event has its effects once, in the order of its key", async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const upheaval = new Upheaval(seed);
    const world = memoryWorld();
    const platform = virtualPlatform({ seed });
    const one = await bench([upheaval.service()], { world, platform, memberId: "one" });
    const two = await bench([upheaval.service()], { world, platform, memberId: "two" });
    const { clock } = one;
    await clock.advance(15_000);
    const steps: Promise<unknown>[] = [];
    for (let i = 0; i < 70; i++) {
      steps.push(upheaval.step(upheaval.one([one, two])).catch(() => undefined));
      await clock.advance(upheaval.upTo(60));
    }
    upheaval.calm = true;
    await clock.advance(60_000);
    await drive(clock, Promise.all(steps));
    await mend(one);
    const published = [...upheaval.published.values()].reduce((sum, count) => sum + count, 0);
    const { handled, held, pending, heldKeys } = await totalsOf(one, name);
    assert.deepEqual([seed, handled, held, pending, heldKeys], [seed, published * 2, 0, 0, 0]);
    assert.equal(
      (await drive(clock, one.app.state<number>("sink", "sums").get("all"))) ?? 0,
      published,
      `seed ${seed}`,
    );
    for (const key of keys) {
      const seen = (await drive(clock, one.app.state<number[]>("sink", "seen").get(key))) ?? [];
      assert.equal(seen.length, upheaval.published.get(key) ?? 0, `seed ${seed}`);
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
        `seed ${seed}, key ${key}`,
      );
    }
    await drive(clock, Promise.all([one.app.stop(), two.app.stop()]));
  }
});
