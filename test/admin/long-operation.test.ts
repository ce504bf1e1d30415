// What an operator does while no application runs, and one is started meanwhile.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "tidings";
import { createAdmin } from "../../src/admin/admin.ts";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { sleep } from "../../src/platform/clock.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { State } from "../../src/ports/state.ts";
import { bench, drive, Happened } from "../delivery/support.ts";

describe("an operation on a partition that no process owns", () => {
  it("keeps its partition however long it takes: an application that starts meanwhile begins where it has moved it", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const { clock } = platform;
    const seen: string[] = [];
    const sink = (run: string) => service("sink").on(Happened, ({ data }) => void seen.push(`${run}${data.n}`));
    const first = await bench([sink("a")], { world, platform, memberId: "one" });
    await first.feed("k", 0, 1);
    await drive(clock, first.app.stop());
    const engine = await world.open({ platform });
    const state = engine.state as State;
    // Looks through the held keys of a partition for longer than its lease lasts.
    const scan: State["scan"] = async (collection, range) => {
      if (collection === collections.held("sink/things") && range.limit > 1000) await sleep(clock, 40_000);
      return state.scan(collection, range);
    };
    const slow = { ...engine, state: { ...state, scan } };
    const admin = createAdmin({ engine: slow, platform, by: "test", memberId: "test.0.x", timeoutMs: 5000 });
    const sought = admin.subscriptions.seek("sink/things", "start");
    await clock.advance(1000);
    const second = await bench([sink("b")], { world, platform, memberId: "two", memberTtlMs: 3000 });
    const held = async (): Promise<readonly string[]> =>
      (await engine.leases!.list("partition/"))
        .filter(({ owner }) => owner.startsWith("test.0.x#"))
        .map(({ name }) => name);
    const before = await held();
    assert.ok(before.length > 0);
    await clock.advance(38_000);
    assert.deepEqual(await held(), before);
    await clock.advance(45_000);
    await sought;
    await clock.advance(5000);
    assert.deepEqual(await held(), []);
    assert.deepEqual(seen, ["a0", "a1", "b0", "b1"]);
    await drive(clock, second.app.stop());
  });
});
