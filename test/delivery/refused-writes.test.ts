// An engine that refuses a write with an error that is not about to pass: too large, a text or a constraint it does not take.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, TerminalError } from "tidings";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, totalsOf } from "./support.ts";

const tooLarge = new Error("string or blob too big");

describe("a write that the engine refuses", () => {
  it("of a held key is tried again, with health red, until it is taken; nothing is lost or overtaken by then", async () => {
    const world = memoryWorld();
    const handled: string[] = [];
    let mended = false;
    const sink = service("sink").on(Happened, ({ data }) => {
      if (data.n === 1 && !mended) throw new TerminalError("never");
      handled.push(`${data.key}${data.n}`);
    });
    const b = await bench([sink], { world, stuckAfterMs: 1000 });
    const heal = world.fail(({ transaction }) =>
      transaction?.documents?.some(({ collection }) => collection === collections.heldEvents("sink/things"))
        ? { fail: "before", error: tooLarge }
        : undefined,
    );
    await b.feed("k", 0, 1, 2, 3);
    await b.clock.advance(5000);
    const [health] = (await drive(b.clock, b.app.health())).subscriptions;
    assert.equal(health?.status, "failing");
    assert.match(health?.reason ?? "", /refused: string or blob too big/);
    heal();
    await b.clock.advance(2000);
    const { held, deadLetters, pending } = await totalsOf(b);
    assert.deepEqual([held, deadLetters, pending], [3, 1, 0]);
    assert.equal((await drive(b.clock, b.app.health())).subscriptions[0]?.reason, undefined);
    mended = true;
    await drive(b.clock, b.app.admin.deadLetters.redrive({}));
    await b.clock.advance(2000);
    assert.deepEqual(handled, ["k0", "k1", "k2", "k3"]);
    assert.equal((await totalsOf(b)).handled, 4);
    await b.app.stop();
  });

  it("of a released key is tried again: events that come later go through", async () => {
    const world = memoryWorld();
    const handled: number[] = [];
    let refusing = false;
    let fail = true;
    world.fail(({ transaction }) =>
      refusing && transaction?.documents?.some(({ collection }) => collection === collections.held("sink/things"))
        ? { fail: "before", error: tooLarge }
        : undefined,
    );
    const retry = { immediateMs: [], delayedMs: [1000], jitter: "none" } as const;
    const sink = service("sink", { retry }).on(Happened, ({ data }) => {
      if (fail) throw new Error("not yet");
      handled.push(data.n);
    });
    const b = await bench([sink], { world });
    await b.feed("k", 0, 1);
    fail = false;
    const { heldKeys } = b.app.admin;
    await drive(b.clock, heldKeys.pause("sink/things", "k", { reason: "wait" }));
    await b.clock.advance(1000);
    refusing = true;
    const resumed = heldKeys.resume("sink/things", "k");
    await b.clock.advance(3000);
    refusing = false;
    await drive(b.clock, resumed);
    await b.clock.advance(3000);
    assert.deepEqual(handled, [0, 1]);
    await b.feed("k", 2);
    await b.clock.advance(3000);
    assert.deepEqual(handled, [0, 1, 2]);
    assert.equal((await totalsOf(b)).held, 0);
    await b.app.stop();
  });

  it("of an identity, at most once, makes a dead letter of its event, and the rest of its key goes on", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const handled: number[] = [];
    world.fail(({ transaction }) =>
      transaction?.timers?.some(({ key }) => key.endsWith("id 1")) ? { fail: "before", error: tooLarge } : undefined,
    );
    const inbox = { windowMs: 60_000 };
    const sink = service("sink", { guarantee: "at-most-once", inbox }).on(
      Happened,
      ({ data }) => void handled.push(data.n),
    );
    const b = await bench([sink], { world, platform, memberId: "one" });
    for (const n of [0, 1, 2]) await drive(b.clock, b.app.publish(Happened, { key: "k", n }, { id: `id ${n}` }));
    await b.clock.advance(3000);
    assert.deepEqual(handled, [0, 2]);
    const totals = await totalsOf(b);
    assert.deepEqual([totals.handled, totals.deadLetters, totals.unknown, totals.pending], [2, 1, 0, 0]);
    const [letter] = await drive(b.clock, b.app.admin.deadLetters.list());
    assert.match(letter?.failure.message ?? "", /too big/);
    await b.app.stop();
  });
});
