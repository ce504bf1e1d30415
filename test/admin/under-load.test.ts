import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

import { createAdmin } from "../../src/admin/admin.ts";
import { silentLogger } from "../../src/delivery/log.ts";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import { openAdmin, troubledWorld } from "./support.ts";

const rounds = topic("rounds", { key: (data: { key: string }) => data.key, partitions: 1 });
const Round = rounds.event("round.run", { data: z.object({ key: z.string(), n: z.number() }) });

describe("an operator", () => {
  it("gets an answer from a partition that is never at rest", async () => {
    const world = memoryWorld();
    let going = true;
    let fails = true;
    // Each key goes round for ever: there is always something that is not committed yet.
    const runner = service("runner", { from: "start" }).on(Round, ({ data: { key, n } }, ctx) => {
      if (key === "bad" && fails) throw new TerminalError("broken");
      if (going && key !== "bad") ctx.publish(Round, { key, n: n + 1 });
    });
    const app = await tidings({
      name: "rounds",
      services: [runner],
      engine: { open: (context) => world.open(context, { seed: 1 }) },
      logger: silentLogger,
    }).start();
    after(() => app.stop());
    await app.publishAll(Array.from({ length: 64 }, (_, n) => [Round, { key: `k${n}`, n: 0 }] as const));
    await app.publish(Round, { key: "bad", n: 0 });
    const { admin } = await openAdmin(world, { timeoutMs: 10_000 });
    for (let i = 0; i < 500 && (await admin.deadLetters.count()) === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const before = (await app.totals()).subscriptions[0]?.handled ?? 0;
    fails = false;
    const answer = await admin.deadLetters.redrive({ subscription: "runner" });
    await admin.heldKeys.pause("runner", "k1", { reason: "test" });
    await admin.heldKeys.resume("runner", "k1");
    const handled = (await app.totals()).subscriptions[0]?.handled ?? 0;
    going = false;
    assert.deepEqual(answer, { redriven: 1, refused: [] });
    assert.ok(handled > before, "it was at work all the time");
    await app.settled({ timeoutMs: 20_000 });
  });

  it("whose question fails asks no more: an application that starts later does nothing of it", async () => {
    const { world } = await troubledWorld();
    const { engine } = await openAdmin(world);
    const leases = engine.leases!;
    const broken = { ...engine, leases: { ...leases, list: () => Promise.reject(new Error("unreadable")) } };
    const admin = createAdmin({
      engine: broken,
      platform: systemPlatform(),
      by: "test",
      memberId: "test.0.x",
      timeoutMs: 5000,
    });
    await assert.rejects(admin.deadLetters.discard({}), /unreadable/);
    assert.deepEqual(await engine.state!.scan(collections.intents, { limit: 10 }), []);
  });
});
