import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Publishers } from "../../src/app/admission/publishers.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { drive } from "../delivery/support.ts";
import { newKey, Offered, pendingOf, processes, slow, stopAll } from "./overload-support.ts";

describe("processes that press on one topic", () => {
  it("know how many they are, until one leaves or has not pressed for a while", async () => {
    const platform = virtualPlatform();
    const { clock } = platform;
    const engine = await memoryWorld({ clock }).open({ platform });
    const [one, two, three] = ["one", "two", "three"].map((id) => new Publishers(engine, platform, "things", id)) as [
      Publishers,
      Publishers,
      Publishers,
    ];
    const press = async (...who: readonly Publishers[]): Promise<void> => {
      for (let i = 0; i < 4; i++) {
        for (const publishers of who) publishers.press(clock.monotonic());
        await clock.advance(600);
      }
    };
    const count = (): number => one.count(clock.monotonic());
    assert.equal(count(), 1);
    await press(one, two, three);
    assert.equal(count(), 3);
    await drive(clock, two.leave());
    await press(one);
    assert.equal(count(), 2);
    await press(one);
    await press(one);
    assert.equal(count(), 1);
    await clock.advance(10_000);
    assert.equal(count(), 1);
  });

  it("share the room that is left: what they offer at one moment is let in once, and not once for each", async () => {
    const eventsMax = 400;
    const { clock, consuming, publishing, apps } = await processes(slow(10 ** 9, { backlog: { eventsMax } }), 4);
    const offered = new Offered();
    for (let i = 0; i < 210; i++) offered.one(apps[0]!, newKey());
    await clock.advance(100);
    // Each of them publishes steadily, so that all know of all.
    for (let i = 0; i < 15; i++) {
      for (const app of apps) offered.one(app, newKey());
      await clock.advance(100);
    }
    for (const app of apps) for (let i = 0; i < 130; i++) offered.one(app, newKey());
    await drive(clock, offered.all());
    const pending = await pendingOf(consuming);
    assert.ok(pending >= eventsMax * 0.8, `${pending} pending`);
    assert.ok(pending <= eventsMax * 1.1, `${pending} pending`);
    await stopAll(clock, publishing);
    await drive(clock, consuming.app.stop({ timeoutMs: 10 }));
  });
});
