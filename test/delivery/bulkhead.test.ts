import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, type ServiceOptions, type Context } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, type Bench, drive, Happened, totalsOf } from "./support.ts";

const events = 200;
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A subscription that does its work at once, and when each event came. */
function healthy() {
  const at: number[] = [];
  return { at, service: service("healthy").on(Happened, (_, ctx) => void at.push(ctx.now())) };
}

function sick(handler: (ctx: Context) => Promise<void> | void, options: ServiceOptions = {}) {
  return service("sick", { timeoutMs: 3_600_000, ...options }).on(Happened, (_, ctx) => handler(ctx));
}

/** Publishes 200 events over two seconds. */
async function load({ app, clock }: Bench, text = ""): Promise<number> {
  const begun = clock.now();
  for (const n of range(events)) {
    const key = `k${n % 20}${text}`;
    await drive(clock, app.publish(Happened, { key, n }));
    await clock.advance(10);
  }
  return begun;
}

describe("beside a subscription", () => {
  const cases: Readonly<Record<string, () => ReturnType<typeof sick>>> = {
    "that is slow": () => sick((ctx) => ctx.sleep(60_000)),
    "that hangs": () => sick(() => new Promise(() => undefined)),
    "that fails without end": () =>
      sick(
        () => {
          throw new Error("never");
        },
        { retry: { immediateMs: [0, 0, 0], delayedMs: Array<number>(100).fill(5), maxAgeMs: 1e9 } },
      ),
    "that blocks its partition": () =>
      sick(
        () => {
          throw new Error("never");
        },
        { onFailure: "blockPartition", retry: { immediateMs: [], delayedMs: Array<number>(100).fill(5) } },
      ),
    "that is paused": () => sick(() => undefined, { breaker: { failures: 1 } }),
  };
  for (const [what, make] of Object.entries(cases)) {
    it(`${what}, a healthy one handles each event at once`, async () => {
      const well = healthy();
      const b = await bench([make(), well.service]);
      if (what === "that is paused") await drive(b.clock, b.app.admin.subscriptions.pause("sick", { reason: "x" }));
      const begun = await load(b);
      await b.rest();
      assert.equal(well.at.length, events);
      for (const [n, at] of well.at.entries())
        assert.ok(at - begun <= n * 30 + 50, `event ${n} came after ${at - begun} ms`);
      const { handled, heldKeys } = await totalsOf(b, "healthy/things");
      assert.deepEqual([handled, heldKeys], [events, 0]);
      void b.app.stop({ timeoutMs: 10 }).catch(() => undefined);
      await b.clock.advance(60_000);
    });
  }

  it("that is slow and gets large events, a healthy one goes on, and no more is fetched for the slow one than may be", async () => {
    const well = healthy();
    const slow = sick(() => new Promise(() => undefined), {
      concurrency: 4,
      prefetch: { bytes: 8 * 1024 },
    });
    const b = await bench([slow, well.service]);
    const text = "x".repeat(400);
    await load(b, text);
    await b.rest();
    assert.equal(well.at.length, events);
    const { subscriptions } = await drive(b.clock, b.app.health());
    const sickOne = subscriptions.find(({ subscription }) => subscription === "sick/things");
    // Each weighs about 680 bytes: 12 fill what each of the two partitions may fetch, and one may be over.
    assert.ok((sickOne?.inFlight ?? 99) <= 2 * 13, `${sickOne?.inFlight} events of the slow one are in memory`);
    assert.equal(sickOne?.running, 4);
    void b.app.stop({ timeoutMs: 10 }).catch(() => undefined);
    await b.clock.advance(60_000);
  });

  it("whose events kill the process again and again, a healthy one comes to handle everything", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    let deaths = 0;
    let lives = 0;
    const at: number[] = [];
    let dead = { is: false };
    // Five events kill, each three times alone, once among a few, and the first of them once among all.
    for (let life = 0; life < 24; life++) {
      const mine = { is: false };
      dead = mine;
      const deadly = sick((ctx) => {
        if (mine.is || ctx.position % 50 !== 7) return undefined;
        mine.is = true;
        deaths += 1;
        return new Promise(() => undefined);
      });
      const well = service("healthy").on(Happened, (_, ctx) => void (mine.is || at.push(ctx.position)));
      const b = await bench([deadly, well], { world, platform, memberId: `life${life}`, memberTtlMs: 1000 });
      const end = world.fail(({ engine }) =>
        mine.is && engine === b.app.engine ? { fail: "before", error: new Error("dead") } : undefined,
      );
      lives += 1;
      if (life === 0)
        for (const n of range(events)) void b.app.publish(Happened, { key: `k${n % 20}`, n }).catch(() => undefined);
      await clock.advance(5000);
      if (!dead.is) {
        const { handled } = await totalsOf(b, "healthy/things");
        const sickTotals = await totalsOf(b, "sick/things");
        assert.equal(handled, events);
        assert.equal(sickTotals.handled + sickTotals.held, events);
        assert.ok(sickTotals.deadLetters > 0);
        end();
        await drive(clock, b.app.stop());
        break;
      }
    }
    assert.ok(deaths >= 3, `${deaths} deaths in ${lives} lives`);
    assert.equal(dead.is, false, "it came to rest");
  });
});
