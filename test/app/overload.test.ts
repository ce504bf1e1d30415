import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type App, service, type ServiceOptions, type TidingsError } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { testApp } from "../../src/testing/index.ts";
import { assertAllAccounted, bench, drive, Happened } from "../delivery/support.ts";
import { newKey, offer, Offered, pendingOf, processes, slow, stopAll } from "./overload-support.ts";

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
    assert.match(
      error.message,
      /"slow\/things" is too far behind \(pending 10, limit 10\): publish to "things" again in \d+ ms/,
    );
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
      for (let i = 0; i < 10; i++) counts[0].one(first, newKey());
      for (let i = 0; i < 4; i++) counts[1].one(second, newKey());
      // Within its share: hardly ever refused.
      if (ms % 10 === 0) counts[2].one(third, newKey());
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
    const { problems } = await drive(clock, (apps[0] as App).admin.engine.diagnose());
    const found = problems.find(({ code }) => code === "TIDINGS_OVERLOADED");
    assert.match(found?.problem ?? "", /its limit is 5 pending events and there are 5/);
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
