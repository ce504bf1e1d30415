import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { mergePatch } from "../../src/admin/merge-patch.ts";
import { collections, type PositionDocument } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { collect, openAdmin, Placed, startShop, troubledWorld } from "./support.ts";

const code = (expected: string) => (error: unknown) => (error as { code: string }).code === expected;

async function position(engine: Engine, partition: number): Promise<PositionDocument> {
  const [document] = await engine.state!.get(collections.positions, [`pay/orders/0000${partition}`]);
  return JSON.parse(document!.value) as PositionDocument;
}

describe("admin.deadLetters, while no application runs", () => {
  it("redrives without running anything, and the next application handles it in order", async () => {
    const { world } = await troubledWorld();
    const { admin, engine } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    assert.deepEqual(await admin.deadLetters.redrive({ subscription: "pay" }), { redriven: 1, refused: [] });
    assert.equal((await admin.deadLetters.show(letter!.id)).letter.state, "redriving");
    assert.deepEqual(await engine.leases!.list("partition/"), []);
    assert.equal(await engine.state!.count(collections.intents), 0);
    assert.equal(await engine.state!.count(collections.answers), 0);
    const shop = await startShop(world, { mended: true, handled: [] });
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["b:1", "b:2"]);
    const { letter: closed } = await admin.deadLetters.show(letter!.id);
    assert.deepEqual([closed.state, closed.redrives, closed.closedBy], ["resolved", 1, "redrive"]);
    assert.ok((await admin.subscriptions.show("pay")).equation.holds);
    await shop.app.stop();
  });

  it("leaves claims and positions as they were", async () => {
    const { world } = await troubledWorld();
    const { admin, engine } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    const { partition } = letter!;
    // As if a process had died with two events claimed.
    const before = await position(engine, partition);
    const key = `pay/orders/0000${partition}`;
    const claim = JSON.stringify({ to: before.low + 2, solo: { position: before.low, stalls: 1 } });
    await engine.transact!({ documents: [{ collection: collections.claims, key, value: claim }] });
    await admin.deadLetters.redrive({});
    await admin.heldKeys.pause("pay", "a", { reason: "test" });
    const after = await position(engine, partition);
    assert.deepEqual(
      [after.low, after.start, after.run, after.finished],
      [before.low, before.start, before.run, before.finished],
    );
    assert.deepEqual(after.counts, before.counts);
    const [kept] = await engine.state!.get(collections.claims, [key]);
    assert.equal(kept?.value, claim);
  });

  it("discards: what waited behind goes on, and the count says so", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    assert.deepEqual(await admin.deadLetters.discard({}), { discarded: 1, refused: [] });
    const { equation, deadLetters } = await admin.subscriptions.show("pay");
    assert.deepEqual([equation.discarded, equation.held, equation.holds, deadLetters], [1, 1, true, 0]);
    const [closed] = await admin.deadLetters.list({ state: "discarded" });
    assert.equal(closed?.closedBy, "test");
    const shop = await startShop(world);
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["b:2"]);
    await shop.app.stop();
  });

  it("takes over a partition whose lease a dead process left, once that is freed", async () => {
    const { world } = await troubledWorld();
    const left = { name: "partition/pay%2Forders/orders/0", owner: "dead.1.x#1", ttlMs: 60_000 };
    const { engine } = await openAdmin(world);
    const both = [left, { ...left, name: "partition/pay%2Forders/orders/1" }];
    const leases = await engine.leases!.acquire(both);
    const { admin } = await openAdmin(world, {
      freeDead: () => engine.leases!.release(leases.filter((lease) => lease !== undefined)),
    });
    assert.equal((await admin.deadLetters.redrive({})).redriven, 1);
  });

  it("withdraws what the owner does not answer in time", async () => {
    const { world } = await troubledWorld();
    const { admin, engine } = await openAdmin(world, { timeoutMs: 300 });
    const owner = "hangs.1.x#1";
    const names = ["partition/pay%2Forders/orders/0", "partition/pay%2Forders/orders/1"];
    await engine.leases!.acquire(names.map((name) => ({ name, owner, ttlMs: 60_000 })));
    const { redriven, refused } = await admin.deadLetters.redrive({});
    assert.equal(redriven, 0);
    assert.equal(refused[0]?.code, "TIDINGS_NO_ANSWER");
    assert.equal(await engine.state!.count(collections.intents), 0);
  });
});

describe("admin.deadLetters, while an application runs", () => {
  it("redrives, edits and discards through the owner", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    for (const [n, key] of ["p", "q", "r"].entries()) await shop.publish(key, n, true);
    await shop.app.settled({ timeoutMs: 10_000 });
    const { admin } = await openAdmin(world);
    const [group] = await admin.deadLetters.groups();
    assert.ok(group);
    assert.equal(group.count, 3);
    // Keys are handled beside each other, so they fail in any order.
    const letters = await admin.deadLetters.list();
    const [p, q, r] = ["p", "q", "r"].map((wanted) => letters.find(({ key }) => key === wanted));
    // Not mended: it fails again, and is the same dead letter with one more redrive.
    assert.equal((await admin.deadLetters.redrive({ ids: [p!.id] })).redriven, 1);
    await shop.app.settled({ timeoutMs: 10_000 });
    const failed = await admin.deadLetters.show(p!.id);
    assert.deepEqual([failed.letter.state, failed.letter.redrives], ["open", 1]);
    const edited = await admin.deadLetters.edit(q!.id, { merge: { bad: null, total: 7 }, contract: Placed });
    assert.equal(edited.editedFrom, q!.record.id);
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["q:7"]);
    const { letter } = await admin.deadLetters.show(q!.id);
    assert.deepEqual([letter.state, letter.editedFrom, letter.record.id], ["resolved", q!.record.id, edited.id]);
    assert.equal(letter.record.attributes?.["editedfrom"], q!.record.id);
    assert.equal(letter.record.attributes?.["correlationid"], q!.record.id);
    assert.equal((await admin.deadLetters.discard({ ids: [r!.id] })).discarded, 1);
    shop.how.mended = true;
    assert.equal((await shop.app.admin.deadLetters.redrive({ fingerprint: group.fingerprint })).redriven, 1);
    await shop.app.settled({ timeoutMs: 10_000 });
    const { equation } = await admin.subscriptions.show("pay");
    assert.deepEqual([equation.handled, equation.discarded, equation.held, equation.holds], [2, 1, 0, true]);
    await shop.app.stop();
  });

  it("says which of several it refused, and why", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    await admin.deadLetters.redrive({});
    const { redriven, refused } = await admin.deadLetters.redrive({ ids: [letter!.id, "nothing"] });
    assert.equal(redriven, 0);
    assert.deepEqual(
      refused.map((refusal) => refusal.code),
      ["TIDINGS_DEAD_LETTER_STATE", "TIDINGS_NOT_FOUND"],
    );
    await assert.rejects(admin.deadLetters.edit(letter!.id, { data: {} }), code("TIDINGS_DEAD_LETTER_STATE"));
  });

  it("refuses an edit that is no JSON, does not fit the contract, or is too large, and leaves everything as it was", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const [letter] = await admin.deadLetters.list();
    const edit = (data: unknown) => admin.deadLetters.edit(letter!.id, { data, contract: Placed });
    await assert.rejects(edit(undefined), code("TIDINGS_INVALID_INPUT"));
    await assert.rejects(edit({ orderId: 1 }), code("TIDINGS_INVALID_PAYLOAD"));
    await assert.rejects(edit({ orderId: "x".repeat(2_000_000), total: 1 }), code("TIDINGS_EVENT_TOO_LARGE"));
    assert.deepEqual((await admin.deadLetters.list())[0], letter);
  });

  it("redrives more than fit into one batch, and lists them in pages", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    for (let n = 0; n < 450; n++) await shop.publish(`k${n}`, n, true);
    await shop.app.settled({ timeoutMs: 30_000 });
    const { admin } = await openAdmin(world);
    const page = await admin.deadLetters.list({ limit: 200 });
    const next = await admin.deadLetters.list({ limit: 200, after: page.at(-1)!.id });
    assert.equal(new Set([...page, ...next].map(({ id }) => id)).size, 400);
    shop.how.mended = true;
    assert.equal((await admin.deadLetters.redrive({ subscription: "pay" }, { limit: 10 })).redriven, 10);
    await shop.app.settled({ timeoutMs: 30_000 });
    assert.deepEqual(await admin.deadLetters.redrive({ subscription: "pay" }), { redriven: 440, refused: [] });
    await shop.app.settled({ timeoutMs: 30_000 });
    assert.equal(shop.how.handled.length, 450);
    assert.equal(await admin.deadLetters.count(), 0);
    await shop.app.stop();
  });
});

describe("admin.heldKeys", () => {
  it("pauses one key and lets the others go on", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    const { admin } = await openAdmin(world);
    await admin.heldKeys.pause("pay", "x", { reason: "checked by hand" });
    await shop.publish("x", 1);
    await shop.publish("x", 2);
    await shop.publish("y", 1);
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["y:1"]);
    const [held] = await admin.heldKeys.list();
    assert.deepEqual([held?.key, held?.reason, held?.events, held?.note], ["x", "paused", 2, "checked by hand"]);
    await admin.heldKeys.resume("pay", "x");
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["y:1", "x:1", "x:2"]);
    await assert.rejects(admin.heldKeys.resume("pay", "x"), code("TIDINGS_NOT_PAUSABLE"));
    await shop.app.stop();
  });

  it("keeps a key paused that is paused while its held head runs", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    const { admin } = await openAdmin(world);
    await admin.heldKeys.pause("pay", "x", { reason: "first" });
    await shop.publish("x", 1);
    await shop.publish("x", 2);
    let running!: () => void;
    const runs = new Promise<void>((resolve) => (running = resolve));
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    shop.how.onPlaced = async () => {
      running();
      await finished;
    };
    await admin.heldKeys.resume("pay", "x");
    await runs;
    await admin.heldKeys.pause("pay", "x", { reason: "second" });
    finish();
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["x:1"]);
    const [held] = await admin.heldKeys.list();
    assert.deepEqual([held?.reason, held?.events, held?.note], ["paused", 1, "second"]);
    await admin.heldKeys.resume("pay", "x");
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled, ["x:1", "x:2"]);
    await shop.app.stop();
  });

  it("refuses to pause a key that waits behind a dead letter", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    await assert.rejects(admin.heldKeys.pause("pay", "b", { reason: "test" }), code("TIDINGS_NOT_PAUSABLE"));
  });

  it("ends a pause by itself at its time, and holds a pause that was made while nothing ran", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    await admin.heldKeys.pause("pay", "x", { reason: "short", untilMs: Date.now() + 400 });
    const shop = await startShop(world);
    await shop.publish("x", 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(shop.how.handled, []);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepEqual(shop.how.handled, ["x:1"]);
    await shop.app.stop();
  });
});

describe("admin.subscriptions.seek", () => {
  it("refuses over held keys before it moves anything, and sets them aside when told to", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const before = await admin.subscriptions.show("pay");
    await assert.rejects(admin.subscriptions.seek("pay", "start"), code("TIDINGS_HELD_KEYS_OPEN"));
    assert.deepEqual((await admin.subscriptions.show("pay")).partitions, before.partitions);
    const plan = await admin.subscriptions.seek("pay", "start", { retireHeld: true, dryRun: true });
    assert.deepEqual((await admin.subscriptions.show("pay")).partitions, before.partitions);
    const moves = await admin.subscriptions.seek("pay", "start", { retireHeld: true });
    assert.deepEqual(moves, plan);
    const after = await admin.subscriptions.show("pay");
    assert.deepEqual([after.pending, after.heldKeys, after.deadLetters, after.equation.holds], [5, 0, 0, true]);
    assert.equal((await admin.deadLetters.list({ state: "discarded" }))[0]?.note, "superseded by a seek");
    const shop = await startShop(world, { mended: true, handled: [] });
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual([...shop.how.handled].sort(), ["a:1", "b:1", "b:2", "c:1"]);
    await shop.app.stop();
  });

  it("moves a running subscription to its end, a time or a position", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    for (let n = 0; n < 3; n++) await shop.publish("x", n);
    await shop.app.settled({ timeoutMs: 10_000 });
    const { admin } = await openAdmin(world);
    await admin.subscriptions.seek("pay", { timeMs: 0 });
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.equal(shop.how.handled.length, 6);
    const partition = (await collect(admin.events.read({ topics: ["orders"], from: "start" })))[0]!.partition;
    const moves = await admin.subscriptions.seek("pay", { partition, position: 2 });
    assert.deepEqual(
      moves.map(({ to, refusal }) => [to, refusal]),
      [[2, undefined]],
    );
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual(shop.how.handled.slice(6), ["x:2"]);
    await admin.subscriptions.seek("pay", "end");
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.equal(shop.how.handled.length, 7);
    await shop.app.stop();
  });
});

describe("mergePatch", () => {
  it("does what the examples of RFC 7396 say", () => {
    const examples: readonly (readonly [unknown, unknown, unknown])[] = [
      [{ a: "b" }, { a: "c" }, { a: "c" }],
      [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
      [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
      [{ a: ["b"] }, { a: "c" }, { a: "c" }],
      [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
      [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
      [
        ["a", "b"],
        ["c", "d"],
        ["c", "d"],
      ],
      [{ a: "b" }, ["c"], ["c"]],
      [{ a: "foo" }, null, null],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [[1, 2], { a: "b", c: null }, { a: "b" }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ];
    for (const [target, patch, expected] of examples) assert.deepEqual(mergePatch(target, patch), expected);
  });
});
