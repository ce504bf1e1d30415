// A guard by itself: what it lets through, what it counts, and whom it believes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dependency, TidingsError } from "tidings";
import { type BreakerDocument, closed } from "../../../src/delivery/guards/breaker-document.ts";
import type { Breaker } from "../../../src/delivery/guards/breaker.ts";
import { callThrough } from "../../../src/delivery/guards/call.ts";
import { GuardNotes } from "../../../src/delivery/guards/entrance.ts";
import { Guard } from "../../../src/delivery/guards/guard.ts";
import { Door } from "../../../src/delivery/lanes/door.ts";
import { Lane } from "../../../src/delivery/lanes/lane.ts";
import type { Delivery } from "../../../src/delivery/lanes/delivery.ts";
import { silentFeed } from "../../../src/delivery/lifecycle/feed.ts";
import { silentLogger } from "../../../src/delivery/log.ts";
import { collections } from "../../../src/delivery/records.ts";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import type { Document } from "../../../src/ports/state.ts";
import { drive } from "../support.ts";

const name = "bank-api";

/** A guard whose breaker opens at the first failure, for a second unless said otherwise. */
async function guardOf(openMs = 1000) {
  const platform = virtualPlatform();
  const engine = await memoryWorld().open({ platform });
  const host = { engine, platform, log: silentLogger, feed: silentFeed, memberId: "one", by: "test" };
  const guard = new Guard(dependency(name, { breaker: { failures: 1, openMs } }), false, host);
  const breaker = guard.breaker as Breaker;
  await drive(platform.clock, breaker.load());
  const read = async (): Promise<Document> =>
    (await drive(platform.clock, engine.state!.get(collections.breakers, [name])))[0] as Document;
  const state = async (): Promise<string> => (JSON.parse((await read()).value) as BreakerDocument).state;
  const fail = async (): Promise<void> => {
    breaker.failed(undefined, new Error("refused"));
    await platform.clock.advance(10);
  };
  return { platform, clock: platform.clock, engine, guard, breaker, read, state, fail };
}

describe("a breaker", () => {
  it("believes a look only when it shows a later version than its own", async () => {
    const { breaker, read, fail } = await guardOf();
    const before = await read();
    await fail();
    assert.equal(breaker.isClosed(), false);
    breaker.see(before);
    assert.equal(breaker.isClosed(), false);
    const now = await read();
    breaker.see({ ...now, version: now.version + 1, value: before.value });
    assert.equal(breaker.isClosed(), true);
    await breaker.stop();
  });

  it("begins no probe when another process has closed it since", async () => {
    const { clock, engine, guard, breaker, read, state, fail } = await guardOf();
    await fail();
    let woken = 0;
    guard.wait({}, () => void woken++);
    const document = closed(JSON.parse((await read()).value) as BreakerDocument, clock.now(), "works again", "other");
    const documents = [{ collection: collections.breakers, key: name, value: JSON.stringify(document) }];
    await drive(clock, engine.transact!({ documents }));
    const { version } = await read();
    await clock.advance(5000);
    assert.deepEqual([await state(), (await read()).version, breaker.isClosed(), woken], ["closed", version, true, 1]);
    await breaker.stop();
  });
});

describe("a rate", () => {
  it("takes no tokens while its breaker is in the way: the one process that probes would miss them", async () => {
    const platform = virtualPlatform();
    const { clock } = platform;
    const engine = await memoryWorld().open({ platform });
    const host = { engine, platform, log: silentLogger, feed: silentFeed, memberId: "one", by: "test" };
    const bank = dependency(name, { breaker: { failures: 1, openMs: 60_000 }, rate: { perSecond: 5, burst: 1 } });
    const guard = new Guard(bank, false, host);
    const breaker = guard.breaker as Breaker;
    await drive(clock, breaker.load());
    const taken = async (): Promise<number> =>
      (await drive(clock, engine.state!.get(collections.rates, [name])))[0]?.version ?? 0;
    // More wait than there are tokens, and whoever is woken asks again.
    for (let i = 0; i < 3; i++) {
      const who = {};
      const ask = (): void => {
        if (guard.admits()) guard.enter();
        guard.wait(who, ask);
      };
      ask();
    }
    await clock.advance(2000);
    const before = await taken();
    assert.ok(before > 5, `${before} slices`);
    breaker.failed(undefined, new Error("refused"));
    await clock.advance(500);
    const open = await taken();
    await clock.advance(10_000);
    assert.equal(await taken(), open);
    await guard.stop();
  });
});

describe("a call through a guard", () => {
  it("that was told to stop says nothing of the dependency when it fails, unless it has taken too long", async () => {
    for (const [reason, isClosed] of [
      [new TidingsError("TIDINGS_FENCED", "given up"), true],
      [new TidingsError("TIDINGS_HANDLER_TIMEOUT", "too long"), false],
    ] as const) {
      const { guard, breaker, clock } = await guardOf();
      const run = new GuardNotes();
      const controller = new AbortController();
      const calling = callThrough(guard, run, true, controller.signal, () => {
        controller.abort(reason);
        throw new Error("aborted");
      });
      await assert.rejects(calling, /aborted/);
      await clock.advance(10);
      assert.deepEqual([run.blamed === undefined, breaker.isClosed()], [isClosed, isClosed], reason.code);
      await breaker.stop();
    }
  });
});

describe("a door", () => {
  it("holds a lane that waits only when nothing of it is under way: the next owner would find that behind it", async () => {
    const { guard, breaker, clock, platform, fail } = await guardOf(60_000);
    await fail();
    const held: Delivery[] = [];
    const other = { guards: undefined };
    const door = new Door({
      runtime: { platform, log: silentLogger, name: "sink/things", routes: new Map([["other", other]]) },
      held: { hold: (delivery: Delivery) => held.push(delivery) },
      isFull: () => true,
      wake: () => undefined,
      close: () => undefined,
    } as never);
    const waiting = { route: { guards: [guard], policy: { onFailure: "blockKey" } } } as unknown as Delivery;
    const lane = new Lane("k");
    lane.queue = [waiting];
    // Ended, and not committed.
    lane.uncommitted = [{} as Delivery];
    assert.equal(door.admits(waiting, lane), false);
    await clock.advance(5000);
    assert.deepEqual(held, []);
    lane.uncommitted = [];
    await clock.advance(3000);
    assert.deepEqual(held, [waiting]);
    door.stop();
    await breaker.stop();
  });
});
