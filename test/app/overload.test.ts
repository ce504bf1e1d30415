import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type App, hasCode, service, type Service, type ServiceOptions, type TidingsError } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { type VirtualClock, virtualPlatform } from "../../src/platform/virtual.ts";
import { testApp } from "../../src/testing/index.ts";
import { assertAllAccounted, type Bench, bench, drive, Followed, Happened } from "../delivery/support.ts";

/** A consumer that takes `handlerMs` for each event, `concurrency` at a time. */
function slow(handlerMs: number, options: ServiceOptions): Service {
  return service("slow", { from: "start", ...options }).on(Happened, async (_event, ctx) => {
    await ctx.sleep(handlerMs);
  });
}

/** What became of publishes that were offered. */
class Offered {
  accepted = 0;
  readonly refused: TidingsError[] = [];
  readonly #pending: Promise<unknown>[] = [];

  one(app: App, key: string): void {
    this.#pending.push(
      app.publish(Happened, { key, n: 0 }).then(
        () => void (this.accepted += 1),
        (error: unknown) => {
          if (!hasCode(error, "TIDINGS_OVERLOADED")) throw error;
          this.refused.push(error);
        },
      ),
    );
  }

  all(): Promise<unknown> {
    return Promise.all(this.#pending);
  }
}

/** Two processes on one world: the first consumes, the others publish. */
async function processes(consumer: Service, publishers = 1) {
  const world = memoryWorld();
  const platform = virtualPlatform();
  const consuming = await bench([consumer], { world, platform, memberId: "consumer" });
  const publishing: Bench[] = [];
  for (let i = 0; i < publishers; i++)
    publishing.push(await bench([], { world, platform, seed: i + 2, memberId: `publisher-${i}` }));
  return { world, platform, clock: platform.clock, consuming, publishing, apps: publishing.map(({ app }) => app) };
}

let keys = 0;
/** Offers so many events each millisecond, each of a key of its own, for a time. */
async function offer(clock: VirtualClock, app: App, perMs: number, forMs: number, offered = new Offered()) {
  for (let ms = 0, due = 0; ms < forMs; ms++) {
    for (due += perMs; due >= 1; due--) offered.one(app, `k${keys++}`);
    await clock.advance(1);
  }
  return offered;
}

const pendingOf = async ({ app, clock }: Bench) =>
  (await drive(clock, app.totals())).subscriptions.reduce((sum, { pending }) => sum + pending, 0);

const stopAll = (clock: VirtualClock, benches: readonly Bench[]) =>
  drive(clock, Promise.all(benches.map(({ app }) => app.stop())));

describe("a subscription with a limit", () => {
  it("has publishers of another process refused above it, with a hint, until it has caught up", async () => {
    const { clock, consuming, publishing, apps } = await processes(
      slow(1000, { concurrency: 2, backlog: { eventsMax: 10 } }),
    );
    const [app] = apps as [App];
    const offered = new Offered();
    for (let i = 0; i < 30; i++) offered.one(app, `k${i}`);
    await drive(clock, offered.all());
    assert.equal(offered.accepted, 10);
    assert.equal(offered.refused.length, 20);
    const [error] = offered.refused as [TidingsError];
    assert.match(error.message, /"slow\/things" has 10 events pending and its limit is 10/);
    const { retryAfterMs, ...details } = error.details;
    assert.deepEqual(details, { topic: "things", subscription: "slow/things", lag: 10, eventsMax: 10 });
    assert.ok((retryAfterMs as number) >= 1 && (retryAfterMs as number) <= 10_000);
    await clock.advance(20_000);
    assert.equal(await pendingOf(consuming), 0);
    await drive(clock, app.publish(Happened, { key: "after", n: 0 }));
    await stopAll(clock, [consuming, ...publishing]);
  });

  it("lets in as much as it handles while it is at its limit, and keeps all that was accepted", async () => {
    const { clock, consuming, publishing, apps } = await processes(
      slow(5, { concurrency: 10, backlog: { eventsMax: 60 } }),
    );
    // 10 at a time for 5 ms: 2 in a millisecond at most.
    const offered = await offer(clock, apps[0] as App, 20, 1000);
    await drive(clock, offered.all());
    const handledPerMs = offered.accepted / 1000;
    assert.ok(handledPerMs > 1.8 && handledPerMs <= 2.1, `${handledPerMs} in a millisecond were let in`);
    assert.ok((await pendingOf(consuming)) <= 80, "the backlog stays at about its limit");
    await clock.advance(2000);
    const totals = await drive(clock, consuming.app.totals());
    assertAllAccounted(totals);
    assert.equal(totals.subscriptions[0]?.handled, offered.accepted);
    const health = await drive(clock, (apps[0] as App).health());
    assert.equal(health.status, "yellow");
    assert.equal(health.shedding[0]?.refused, offered.refused.length);
    await clock.advance(5000);
    const later = await drive(clock, (apps[0] as App).health());
    assert.deepEqual([later.status, later.shedding], ["green", []]);
    const after = await offer(clock, apps[0] as App, 1, 100);
    await drive(clock, after.all());
    assert.equal(after.refused.length, 0);
    await stopAll(clock, [consuming, ...publishing]);
  });

  it("shares what it can take among the processes that publish, also with one that comes later", async () => {
    const { clock, consuming, publishing, apps } = await processes(
      slow(5, { concurrency: 10, backlog: { eventsMax: 100 } }),
      3,
    );
    const [first, second, third] = apps as [App, App, App];
    const before = await offer(clock, first, 10, 500);
    const counts = [new Offered(), new Offered(), new Offered()] as const;
    for (let ms = 0; ms < 2000; ms++) {
      for (let i = 0; i < 10; i++) counts[0].one(first, `k${keys++}`);
      for (let i = 0; i < 4; i++) counts[1].one(second, `k${keys++}`);
      // Within its share: hardly ever refused.
      if (ms % 10 === 0) counts[2].one(third, `k${keys++}`);
      await clock.advance(1);
    }
    await drive(clock, Promise.all([before.all(), ...counts.map((each) => each.all())]));
    const [one, two, three] = counts.map(({ accepted }) => accepted) as [number, number, number];
    assert.ok(one + two + three > 3500, `${one} + ${two} + ${three} of 4000 that could be handled`);
    assert.ok(one / two < 1.5 && two / one < 1.5, `${one} and ${two}`);
    assert.ok(three > 150, `${three} of 200 of the modest one`);
    assert.ok((await pendingOf(consuming)) <= 200);
    await stopAll(clock, [consuming, ...publishing]);
  });

  it("that nobody runs counts all the same: a topic holds no more than its limit says", async () => {
    const { clock, consuming, publishing, apps } = await processes(slow(10, { backlog: { eventsMax: 5 } }));
    await stopAll(clock, [consuming]);
    const offered = await offer(clock, apps[0] as App, 1, 50);
    await drive(clock, offered.all());
    assert.equal(offered.accepted, 5);
    await stopAll(clock, publishing);
  });

  it("is known to processes that were there before it, and forgotten when the limit is gone", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    const publishing = await bench([], { world, platform, memberId: "publisher" });
    const begin = (options: ServiceOptions) =>
      bench([slow(100_000, { concurrency: 1, ...options })], { world, platform, memberId: "consumer" });
    const limited = await begin({ backlog: { eventsMax: 3 } });
    const offered = new Offered();
    for (let i = 0; i < 12; i++) {
      offered.one(publishing.app, `k${i}`);
      await clock.advance(1000);
    }
    assert.ok(offered.refused.length >= 6, `${offered.refused.length} were refused`);
    const stopping = limited.app.stop({ timeoutMs: 10 });
    await clock.advance(5000);
    await stopping;
    const unlimited = await begin({});
    const after = new Offered();
    // Those that are refused look for the limits again, too.
    for (let i = 0; i < 12; i++) {
      after.one(publishing.app, `l${i}`);
      await clock.advance(1000);
    }
    assert.ok(after.accepted >= 8, `${after.accepted} were accepted`);
    const over = unlimited.app.stop({ timeoutMs: 10 });
    await clock.advance(5000);
    await over;
    await stopAll(clock, [publishing]);
  });
});

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
});

describe("publishAll", () => {
  it("is let in as a whole while there is room for its first event, and refused as a whole", async () => {
    const { clock, consuming, publishing, apps } = await processes(
      slow(1000, { concurrency: 1, backlog: { eventsMax: 5 } }),
    );
    const [app] = apps as [App];
    const batch = (size: number) =>
      drive(clock, app.publishAll(Array.from({ length: size }, (_, i) => [Happened, { key: `b${i}`, n: i }] as const)));
    await batch(3);
    await batch(4);
    await assert.rejects(batch(2), { code: "TIDINGS_OVERLOADED" });
    assert.equal((await drive(clock, consuming.app.totals())).published, 7);
    const refused = app
      .metrics()
      .find(
        ({ name, attributes }) => name === "tidings.publish.refused" && "messaging.consumer.group.name" in attributes,
      );
    assert.equal(refused?.value, 2, "each event counts");
    await stopAll(clock, [consuming, ...publishing]);
  });
});

describe("publishes that wait for a look at the store", () => {
  it("keep the order of the calls", async () => {
    const seen: number[] = [];
    const { clock, consuming, publishing, apps } = await processes(
      service("slow", { from: "start", backlog: { eventsMax: 1000 } }).on(
        Happened,
        ({ data }) => void seen.push(data.n),
      ),
    );
    const [app] = apps as [App];
    const done: Promise<unknown>[] = [];
    for (let round = 0, n = 0; round < 20; round++) {
      // After a while nothing is known of the backlog, and the first one has to wait.
      await clock.advance(400);
      for (let i = 0; i < 3; i++) done.push(app.publish(Happened, { key: "one", n: n++ }));
      for (let hop = 0; hop < round; hop++) await Promise.resolve();
      done.push(app.publishAll([[Happened, { key: "one", n: n++ }]]));
      done.push(app.publish(Happened, { key: "one", n: n++ }));
    }
    await drive(clock, Promise.all(done));
    await clock.advance(100);
    assert.deepEqual(
      seen,
      seen.map((_, i) => i),
    );
    assert.equal(seen.length, 100);
    await stopAll(clock, [consuming, ...publishing]);
  });

  it("are not held up by a store that cannot be read", async () => {
    const { clock, world, consuming, publishing, apps } = await processes(slow(10, { backlog: { eventsMax: 1 } }));
    const stopFailing = world.fail((call) => (call.kind === "read" ? { fail: "before" } : undefined));
    const offered = await offer(clock, apps[0] as App, 1, 20);
    await drive(clock, offered.all());
    assert.equal(offered.accepted, 20);
    stopFailing();
    await stopAll(clock, [consuming, ...publishing]);
  });
});

describe("limits that cannot be meant", () => {
  it("are refused with what to write instead", () => {
    const invalid = (backlog: unknown, message: RegExp) =>
      assert.throws(() => service("x", { backlog: backlog as never }), { code: "TIDINGS_INVALID_OPTION", message });
    for (const eventsMax of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "10", undefined])
      invalid({ eventsMax }, /backlog\.eventsMax of service\("x"\) must be a whole number of at least 1/);
    invalid({ eventMax: 10 }, /did you mean "eventsMax"/);
    invalid(10, /service\("x"\)\.backlog takes an object of options/);
    invalid(null, /service\("x"\)\.backlog takes an object of options/);
  });
});

describe("the test kit", () => {
  it("shows who is refused and why", async () => {
    await using kit = await testApp({ services: [slow(60_000, { concurrency: 1, backlog: { eventsMax: 2 } })] });
    const results = await Promise.allSettled(["a", "b", "c"].map((key) => kit.app.publish(Happened, { key, n: 0 })));
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected"],
    );
    const { shedding } = await kit.health();
    assert.deepEqual(
      shedding.map(({ subscription, eventsMax, refused }) => [subscription, eventsMax, refused]),
      [["slow/things", 2, 1]],
    );
  });
});
