import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { guarantees } from "../../src/admin/guarantees.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { collect, openAdmin, startShop, troubledWorld } from "./support.ts";

const code = (expected: string) => (error: unknown) => (error as { code: string }).code === expected;

describe("admin.subscriptions", () => {
  it("reports what became of every event, and that it adds up", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const report = await admin.subscriptions.show("pay/orders");
    assert.equal(report.status, "stopped");
    assert.deepEqual([report.heldKeys, report.heldEvents, report.deadLetters, report.pending], [1, 2, 1, 0]);
    const { handled, held, filtered, sum, total, holds } = report.equation;
    assert.deepEqual(
      { handled, held, filtered, sum, total, holds },
      { handled: 2, held: 2, filtered: 1, sum: 5, total: 5, holds: true },
    );
    assert.deepEqual(
      report.partitions.map(({ next, low }) => next - low),
      [0, 0],
    );
  });

  it("finds a subscription by its service alone, and suggests one for a wrong name", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    assert.equal((await admin.subscriptions.show("pay")).subscription, "pay/orders");
    await assert.rejects(admin.subscriptions.show("pay/order"), /did you mean "pay\/orders"\?/);
    await assert.rejects(admin.subscriptions.show("nobody"), code("TIDINGS_NOT_FOUND"));
  });

  it("names the owners of partitions while an application runs", async () => {
    const world = memoryWorld();
    const { app } = await startShop(world);
    const { admin } = await openAdmin(world);
    const report = await admin.subscriptions.show("pay");
    assert.equal(report.status, "ok");
    assert.equal(report.members.length, 1);
    assert.deepEqual(new Set(report.partitions.map(({ owner }) => owner)), new Set(report.members));
    await app.stop();
  });

  it("counts pending events and their age while it is paused", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    const { admin } = await openAdmin(world);
    await admin.subscriptions.pause("pay", { reason: "the bank is down" });
    await until(async () => (await shop.app.health()).subscriptions.some(({ status }) => status === "paused"));
    await shop.publish("a", 1);
    await shop.publish("b", 1);
    const paused = await admin.subscriptions.show("pay");
    assert.deepEqual([paused.status, paused.pending, paused.paused?.reason], ["paused", 2, "the bank is down"]);
    assert.ok(paused.equation.holds);
    const { problems } = await admin.engine.diagnose();
    assert.match(problems[0]?.problem ?? "", /paused by test \(the bank is down\); 2 events are pending/);
    await admin.subscriptions.resume("pay");
    await shop.app.settled({ timeoutMs: 10_000 });
    assert.deepEqual([...shop.how.handled].sort(), ["a:1", "b:1"]);
    await assert.rejects(admin.subscriptions.resume("pay"), code("TIDINGS_NOT_PAUSABLE"));
    await shop.app.stop();
  });

  it("calls a subscription lost when retention took what it had not handled", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    const { admin, engine } = await openAdmin(world);
    await admin.subscriptions.pause("pay", { reason: "test" });
    await until(async () => (await shop.app.health()).subscriptions.some(({ status }) => status === "paused"));
    await shop.publish("a", 1);
    await shop.app.stop();
    await engine.topics.retain("orders", { appendedBeforeMs: Date.now() + 1000 });
    const report = await admin.subscriptions.show("pay");
    assert.equal(report.status, "lost");
    assert.equal(
      report.partitions.reduce((sum, { lost }) => sum + lost, 0),
      1,
    );
  });
});

describe("admin.topics", () => {
  it("lists, shows and creates topics", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    assert.deepEqual(await admin.topics.list(), [
      { topic: "orders", partitions: 2, events: 5, appended: 5 },
      { topic: "payments", partitions: 2, events: 2, appended: 2 },
    ]);
    const { bounds, subscriptions } = await admin.topics.show("orders");
    assert.deepEqual(subscriptions, ["pay/orders"]);
    assert.equal(
      bounds.reduce((sum, { next }) => sum + next, 0),
      5,
    );
    assert.deepEqual(await admin.topics.create("fresh", { partitions: 3 }), {
      name: "fresh",
      partitions: 3,
      created: true,
    });
    assert.equal((await admin.topics.create("fresh", { partitions: 3 })).created, false);
    await assert.rejects(admin.topics.create("fresh", { partitions: 4 }), code("TIDINGS_PARTITIONS_CHANGED"));
    await assert.rejects(admin.topics.create("un named"), code("TIDINGS_INVALID_NAME"));
    await assert.rejects(admin.topics.create("fine", { partitions: 0 }), code("TIDINGS_INVALID_OPTION"));
    await assert.rejects(admin.topics.show("ordesr"), /did you mean "orders"\?/);
  });
});

describe("admin.events", () => {
  it("reads topics as one sequence by the time at which events were appended", async () => {
    const { world, ids } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const all = await collect(admin.events.read({ topics: ["orders", "payments"], from: "start" }));
    assert.equal(all.length, 7);
    const times = all.map(({ appendedAtMs }) => appendedAtMs);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
    const ofB = await collect(admin.events.read({ topics: ["orders"], from: "start", key: "b" }));
    assert.deepEqual(
      ofB.map(({ id }) => id),
      ids.slice(1, 3),
    );
    const limited = await collect(admin.events.read({ topics: ["orders"], from: "start", limit: 2 }));
    assert.equal(limited.length, 2);
    const noted = await collect(admin.events.read({ topics: ["orders"], from: "start", types: ["shop.order.noted"] }));
    assert.deepEqual(
      noted.map(({ key }) => key),
      ["a"],
    );
  });

  it("reads from a time, from a position, and refuses positions that are not there", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const read = (from: Parameters<typeof admin.events.read>[0]["from"]) =>
      collect(admin.events.read({ topics: ["orders"], from }));
    assert.equal((await read({ timeMs: 0 })).length, 5);
    assert.equal((await read({ timeMs: Date.now() + 60_000 })).length, 0);
    assert.equal((await read("end")).length, 0);
    const [partition] = (await read("start")).map((record) => record.partition);
    assert.ok((await read({ partition: partition as number, position: 0 })).length > 0);
    await assert.rejects(read({ partition: 9, position: 0 }), code("TIDINGS_INVALID_OPTION"));
    await assert.rejects(read({ partition: 0, position: 99 }), code("TIDINGS_INVALID_OPTION"));
  });

  it("follows a topic until it is told to stop", async () => {
    const world = memoryWorld();
    const shop = await startShop(world);
    const { admin } = await openAdmin(world);
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      const reading = { topics: ["orders"], from: "end", follow: true, signal: stop.signal } as const;
      for await (const record of admin.events.read(reading)) seen.push(record.key ?? "");
    })();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await shop.publish("x", 1);
    await shop.publish("y", 1);
    await until(() => seen.length === 2);
    assert.deepEqual(seen, ["x", "y"]);
    stop.abort();
    await following;
    await shop.app.stop();
  });

  it("finds an event with its causes, its effects and its fate in each subscription", async () => {
    const { world, ids } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const [placed, bad, behind] = ids as [string, string, string];
    const story = await admin.events.find(placed);
    assert.deepEqual(
      story.fates.map(({ subscription, fate }) => [subscription, fate]),
      [["pay/orders", "handled"]],
    );
    assert.deepEqual(
      story.effects.map(({ event, depth }) => [event.type, depth]),
      [["shop.payment.captured", 1]],
    );
    const effect = await admin.events.find(story.effects[0]?.event.id ?? "");
    assert.deepEqual(
      effect.causes.map(({ id }) => id),
      [placed],
    );
    assert.equal((await admin.events.find(bad)).fates[0]?.fate, "dead letter");
    const { fate, detail } = (await admin.events.find(behind)).fates[0] ?? {};
    assert.equal(fate, "waiting behind its key");
    assert.match(detail ?? "", /1 before it; at the head the dead letter/);
    const noted = await collect(admin.events.read({ topics: ["orders"], from: "start", types: ["shop.order.noted"] }));
    assert.equal((await admin.events.find(noted[0]?.id ?? "")).fates[0]?.fate, "filtered");
    await assert.rejects(admin.events.find("nothing"), code("TIDINGS_NOT_FOUND"));
  });

  it("tells of this run alone: what a seek lets begin anew is not what it was before", async () => {
    const { world, ids } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const bad = ids[1] ?? "";
    await admin.subscriptions.seek("pay/orders", "start", { retireHeld: true });
    assert.equal((await admin.events.find(bad)).fates[0]?.fate, "pending");
    await admin.subscriptions.seek("pay/orders", "end");
    assert.equal((await admin.events.find(bad)).fates[0]?.fate, "before its start");
  });

  it("looks at no more events than it may, and says so", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    await assert.rejects(admin.events.find("nothing", { scanMax: 3 }), /among the 3 events that were looked at/);
  });

  it("publishes raw events, where their keys belong, and once per id", async () => {
    const { world } = await troubledWorld();
    const { admin } = await openAdmin(world);
    const event = { topic: "orders", type: "shop.order.placed", data: { orderId: "z", total: 1 }, key: "z", id: "z-1" };
    const [first] = await admin.events.publish([event]);
    const [again] = await admin.events.publish([event]);
    assert.equal(first?.duplicate, false);
    assert.deepEqual(again, { ...first, duplicate: true });
    await assert.rejects(admin.events.publish([{ ...event, data: { other: 1 } }]), code("TIDINGS_ID_CONFLICT"));
    await assert.rejects(admin.events.publish([{ ...event, topic: "nowhere" }]), code("TIDINGS_NOT_FOUND"));
    await assert.rejects(
      admin.events.publish([{ topic: "orders", cloudEvent: { specversion: "0.3" } }]),
      code("TIDINGS_INVALID_INPUT"),
    );
    const before = (await admin.topics.show("orders")).appended;
    await admin.events.publish([{ topic: "orders", type: "t", data: 1 }], { dryRun: true });
    assert.equal((await admin.topics.show("orders")).appended, before);
  });
});

describe("the table of guarantees", () => {
  it("has one frozen entry for every promise and engine", () => {
    assert.ok(Object.isFrozen(guarantees));
    for (const entries of Object.values(guarantees)) {
      assert.deepEqual(
        entries.map(({ promise }) => promise),
        ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9"],
      );
      assert.ok(entries.every((entry) => Object.isFrozen(entry) && entry.note !== ""));
    }
  });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("it did not come true within 5 s");
}
