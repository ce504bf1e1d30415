import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryWorld } from "../../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";
import { bench, drive } from "../support.ts";
import { api, outside, payer } from "./support.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("a guard at which many wait", () => {
  it("wakes none that waited for a partition that was given up: who is woken takes what is there", async () => {
    const bank = outside();
    const rated = () => api({ breaker: false, rate: { perSecond: 2, burst: 1 } });
    const world = memoryWorld();
    const platform = virtualPlatform();
    const one = await bench([payer(bank, rated())], { world, platform, memberId: "one" });
    for (const key of range(60)) await one.feed(`k${key}`, 0);
    const two = await bench([payer(outside(), rated())], { world, platform, memberId: "two" });
    await platform.clock.advance(4000);
    await drive(platform.clock, two.app.stop());
    await platform.clock.advance(1000);
    const before = bank.calls.length;
    await platform.clock.advance(10_000);
    const calls = bank.calls.length - before;
    assert.ok(calls >= 18, `${calls} calls in ten seconds, of which 20 were allowed`);
    const waiting = one.app.metrics().find(({ name }) => name === "tidings.guard.waiting");
    assert.equal(waiting?.value, 60 - bank.calls.length);
    await drive(platform.clock, one.app.stop());
  });
});
