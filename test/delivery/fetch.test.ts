import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { service } from "tidings";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import type { EngineContext } from "../../src/ports/engine.ts";
import { bench, Happened } from "./support.ts";

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
});
