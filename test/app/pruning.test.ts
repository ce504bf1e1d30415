import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { service } from "tidings";

import { Maintenance } from "../../src/app/maintenance.ts";
import { host, housekeepingLease, releaseDead } from "../../src/app/member-id.ts";
import { silentLogger } from "../../src/delivery/log.ts";
import { collections } from "../../src/delivery/records.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { ownerOf } from "../../src/membership/names.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, Happened } from "../delivery/support.ts";

const dayMs = 24 * 60 * 60 * 1000;

describe("housekeeping", () => {
  it("removes what was closed more than 30 days ago, wherever it stands among the others, and what never began", async () => {
    const platform = virtualPlatform({ seed: 1, startMs: Date.UTC(2026, 5, 1) });
    const { clock } = platform;
    const engine = await memoryWorld({ clock }).open({ platform });
    const now = clock.now();
    const closed = collections.closedDeadLetters("pay/orders");
    const letter = (i: number): string => JSON.stringify({ closedAtMs: now - (i % 2 === 0 ? 31 : 29) * dayMs });
    const idAt = (ms: number): string =>
      `${ms
        .toString(16)
        .padStart(12, "0")
        .replace(/^(.{8})/, "$1-")}-7000-8000-000000000000`;
    const abandoned = idAt(now - 2 * 60 * 60 * 1000);
    const beginning = idAt(now - 60_000);
    const running = idAt(now - 3 * dayMs);
    const items = (id: string) => ({
      collection: collections.redriveItems,
      key: `${id}/000000`,
      value: '{"items":[]}',
    });
    await engine.transact!({
      documents: [
        {
          collection: collections.subscriptions,
          key: "pay/orders",
          value: JSON.stringify({ topic: "orders", partitions: 1 }),
        },
        ...Array.from({ length: 1200 }, (_, i) => ({
          collection: closed,
          key: String(i).padStart(6, "0"),
          value: letter(i),
        })),
        { collection: collections.endedRedrives, key: "old", value: JSON.stringify({ endedAtMs: now - 31 * dayMs }) },
        { collection: collections.endedRedrives, key: "young", value: JSON.stringify({ endedAtMs: now - dayMs }) },
        { collection: collections.redrives, key: running, value: "{}" },
        items(abandoned),
        items(beginning),
        items(running),
      ],
    });
    const maintenance = new Maintenance({ engine, clock, log: silentLogger, owner: "a", topics: [], everyMs: 60_000 });
    // One page of each at a time.
    for (let run = 0; run < 4; run++) await maintenance.run();
    const { state } = engine;
    assert.equal(await state!.count(closed), 600);
    for (const { value } of await state!.scan(closed, { limit: 1000 }))
      assert.equal((JSON.parse(value) as { closedAtMs: number }).closedAtMs, now - 29 * dayMs);
    assert.deepEqual(
      (await state!.scan(collections.endedRedrives, { limit: 10 })).map(({ key }) => key),
      ["young"],
    );
    const left = (await state!.scan(collections.redriveItems, { limit: 10 })).map(({ key }) => key.slice(0, 36));
    assert.deepEqual(left.sort(), [beginning, running].sort());
  });

  it("is taken over at once from a dead process, and never from a living one", async () => {
    const platform = virtualPlatform();
    const { clock } = platform;
    const world = memoryWorld({ clock });
    const engine = await world.open({ platform });
    // As after the clock was set back by hours: the lease of the process that died ends when the clock is there again.
    const dead = ownerOf(`${host()}.999999999.x`, "housekeeping");
    await engine.leases!.acquire([{ name: housekeepingLease, owner: dead, ttlMs: dayMs }]);
    const consumer = service("sink").on(Happened, () => undefined);
    const b = await bench([consumer], { world, platform, retentionEveryMs: 1000 });
    await clock.advance(1500);
    const [lease] = await engine.leases!.list(housekeepingLease);
    assert.notEqual(lease?.owner, dead);
    assert.ok(lease?.owner.startsWith(`${host()}.${process.pid}.`), lease?.owner);
    assert.equal(await releaseDead(engine), 0);
    assert.deepEqual(await engine.leases!.list(housekeepingLease), [lease]);
    await b.app.stop();
  });
});
