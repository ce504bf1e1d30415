import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, tidings, topic } from "tidings";
import { z } from "zod";
import { silentLogger } from "../../src/delivery/log.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { drive } from "../delivery/support.ts";

const minute = 60_000;
const define = (force: boolean) => {
  const logs = topic("logs", { partitions: 1, retention: { maxAgeMs: 10 * minute, force } });
  return { logs, Line: logs.event("log.line", { data: z.object({ n: z.number() }) }) };
};

describe("retention", () => {
  it("waits for what a subscription has not handled", async () => {
    const { Line } = define(false);
    const platform = virtualPlatform();
    let blocked = true;
    const seen: number[] = [];
    const slow = service("slow", {
      retry: { immediateMs: [], delayedMs: [60 * minute], jitter: "none" },
      onFailure: "blockPartition",
    }).on(Line, ({ data }) => {
      if (blocked) throw new Error("not yet");
      seen.push(data.n);
    });
    const world = memoryWorld();
    const app = tidings({
      name: "x",
      services: [slow],
      engine: { open: (context) => world.open(context) },
      platform,
      logger: silentLogger,
      retentionEveryMs: minute,
    });
    await drive(platform.clock, app.start());
    for (let n = 0; n < 5; n++) await drive(platform.clock, app.publish(Line, { n }));
    await platform.clock.advance(30 * minute);
    assert.deepEqual(await drive(platform.clock, app.engine.topics.bounds("logs")), [{ first: 0, next: 5 }]);
    blocked = false;
    await platform.clock.advance(40 * minute);
    assert.deepEqual(seen, [0, 1, 2, 3, 4]);
    const [bounds] = await drive(platform.clock, app.engine.topics.bounds("logs"));
    assert.ok((bounds?.first ?? 0) > 0, "what is handled and old is removed");
    assert.equal(bounds?.next, 5);
    await drive(platform.clock, app.stop());
  });

  it("that is forced pauses a subscription that has lost events, and says how many", async () => {
    const { Line } = define(true);
    const platform = virtualPlatform();
    const world = memoryWorld();
    const open = { open: (context: Parameters<typeof world.open>[0]) => world.open(context) };
    const reader = () => service("reader", { from: "start" }).on(Line, () => undefined);
    const first = tidings({
      name: "x",
      services: [reader()],
      engine: open,
      platform,
      logger: silentLogger,
      memberId: "one",
    });
    await drive(platform.clock, first.start());
    await drive(platform.clock, first.stop());
    const keeper = service("keeper", { from: "start" }).on(Line, () => undefined);
    const writer = tidings({
      name: "x",
      services: [keeper],
      engine: open,
      platform,
      logger: silentLogger,
      memberId: "two",
      retentionEveryMs: minute,
    });
    await drive(platform.clock, writer.start());
    for (let n = 0; n < 5; n++) await drive(platform.clock, writer.publish(Line, { n }));
    await platform.clock.advance(20 * minute);
    await drive(platform.clock, writer.publish(Line, { n: 5 }));
    await drive(platform.clock, writer.stop());
    const again = tidings({
      name: "x",
      services: [reader()],
      engine: open,
      platform,
      logger: silentLogger,
      memberId: "three",
    });
    await drive(platform.clock, again.start());
    await platform.clock.advance(1000);
    const totals = await drive(platform.clock, again.totals());
    const [lost] = totals.subscriptions.filter(({ service: name }) => name === "reader");
    assert.match(lost?.paused?.reason ?? "", /5 events from position 0 on are gone by retention/);
    assert.equal(lost?.handled, 0);
    await drive(platform.clock, again.stop());
  });
});
