import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { sleep } from "../../src/platform/clock.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import { bench, drive, Happened, things } from "../delivery/support.ts";

describe("a topic that is not declared yet", () => {
  it("takes the events of one key in the order in which they were published", async () => {
    const platform = virtualPlatform();
    const world = memoryWorld();
    let calls = 0;
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const declare: Engine["topics"]["declare"] = async (specs) => {
        const delayMs = 10 + 40 * calls++;
        await engine.topics.declare(specs);
        await sleep(platform.clock, delayMs);
      };
      return { ...engine, topics: { ...engine.topics, declare } };
    };
    const b = await bench([], { platform, engine: { open }, topics: [] });
    const publish = (n: number) => b.app.publish(Happened, { key: "k", n });
    const all = [publish(0), publish(1), b.app.publishAll([[Happened, { key: "k", n: 2 }]])];
    await b.clock.advance(20);
    all.push(publish(3));
    await drive(b.clock, Promise.all(all as Promise<unknown>[]));
    const pages = [];
    for (const partition of [0, 1])
      pages.push(await drive(b.clock, b.app.engine.topics.read(things.name, partition, 0, { events: 10, bytes: 1e6 })));
    const order = pages.flatMap(({ records }) =>
      records.map(({ data }) => (JSON.parse(data as string) as { n: number }).n),
    );
    assert.deepEqual(order, [0, 1, 2, 3]);
    await b.app.stop();
  });
});
