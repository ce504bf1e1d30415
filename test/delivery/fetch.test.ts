import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import type { EngineContext } from "../../src/ports/engine.ts";
import { bench, drive, Happened } from "./support.ts";

/** A world that notes from where its events are read. */
function noting(reads: number[]) {
  const world = memoryWorld();
  return {
    world,
    async open(context: EngineContext) {
      const engine = await world.open(context);
      const { topics } = engine;
      const read: typeof topics.read = (topic, partition, position, limits) => {
        reads.push(position);
        return topics.read(topic, partition, position, limits);
      };
      return { ...engine, topics: { ...topics, read } };
    },
  };
}

describe("fetching", () => {
  it("asks for nothing behind a commit where all is known to be here", async () => {
    const reads: number[] = [];
    const seen: number[] = [];
    const engine = noting(reads);
    const counting = service("counting", { from: "start" }).on(Happened, ({ data }) => void seen.push(data.n));
    const world = await bench([counting], { engine });
    await world.feed("a", 0);
    reads.length = 0;
    await world.feed("a", 1);
    await world.feed("a", 2);
    assert.deepEqual(seen, [0, 1, 2]);
    assert.deepEqual(reads.filter((position) => position > 0), [1, 2]); // prettier-ignore
    await world.app.stop();
  });

  it("goes on when there is room again for what was left", async () => {
    const seen: number[] = [];
    const options = { from: "start", prefetch: { events: 2 } } as const;
    const counting = service("counting", options).on(Happened, ({ data }) => void seen.push(data.n));
    const world = await bench([counting]);
    await world.feed("a", 0, 1, 2, 3, 4, 5, 6);
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6]);
    await world.app.stop();
  });

  it("pauses where the topic ends before the position, for what comes there would never be handled", async () => {
    const seen: number[] = [];
    const services = [service("counting", { from: "start" }).on(Happened, ({ data }) => void seen.push(data.n))];
    const first = await bench(services);
    await first.feed("a", 0, 1, 2);
    await first.app.stop();
    const { world, platform } = first;
    const empty = memoryWorld();
    const engine = {
      async open(context: EngineContext) {
        const { topics } = await empty.open(context);
        return { ...(await world.open(context)), topics };
      },
    };
    const second = await bench(services, { engine, platform: platform as never });
    await second.feed("a", 3);
    const [health] = (await drive(second.clock, second.app.health())).subscriptions;
    assert.match(health?.reason ?? "", /position 3 lies behind the end at 0: the topic was set back or made anew/);
    assert.deepEqual([health?.status, seen], ["failing", [0, 1, 2]]);
    const { subscriptions } = second.app.admin;
    await drive(second.clock, subscriptions.seek("counting", "start"));
    await drive(second.clock, subscriptions.resume("counting"));
    await second.clock.advance(10_000);
    assert.deepEqual(seen, [0, 1, 2, 3]);
    assert.equal((await drive(second.clock, second.app.health())).status, "green");
    await second.app.stop();
  });
});
