// P2: one producer's publishes to a key commit in the order of the calls, also when some of them have to wait.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service, topic } from "tidings";
import { z } from "zod";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { sleep } from "../../src/platform/clock.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import type { State } from "../../src/ports/state.ts";
import { type Bench, bench, drive, Happened, things } from "../delivery/support.ts";

const others = topic("others", { key: (data: { key: string }) => data.key, partitions: 2 });
const Other = others.event("other.happened", { data: z.object({ key: z.string() }) });

/** The numbers of the events of a topic, in the order in which they were committed. */
async function orderOf(b: Bench): Promise<readonly number[]> {
  const pages = [];
  for (const partition of [0, 1])
    pages.push(await drive(b.clock, b.app.engine.topics.read(things.name, partition, 0, { events: 20, bytes: 1e6 })));
  return pages.flatMap(({ records }) => records.map(({ data }) => (JSON.parse(data as string) as { n: number }).n));
}

const publishers = (b: Bench) => ({
  one: (n: number): Promise<unknown> => b.app.publish(Happened, { key: "k", n }),
  both: (n: number): Promise<unknown> =>
    b.app.publishAll([
      [Happened, { key: "k", n }],
      [Other, { key: "k" }],
    ]),
});

describe("a publish that goes to several topics", () => {
  it("is not overtaken in one of them while it waits for another one to be declared", async () => {
    const platform = virtualPlatform();
    const world = memoryWorld();
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const declare: Engine["topics"]["declare"] = async (specs) => {
        await engine.topics.declare(specs);
        if (specs.some(({ name }) => name === others.name)) await sleep(platform.clock, 50);
      };
      return { ...engine, topics: { ...engine.topics, declare } };
    };
    const b = await bench([], { platform, engine: { open } });
    const { one, both } = publishers(b);
    const all = [one(0), both(1), one(2), both(3)];
    await b.clock.advance(20);
    all.push(one(4), one(5));
    await drive(b.clock, Promise.all(all));
    all.push(one(6), both(7), one(8));
    await drive(b.clock, Promise.all(all));
    assert.deepEqual(await orderOf(b), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await b.app.stop();
  });

  it("is not overtaken in one of them while it waits at the gate of another one, and holds nobody back when it fails", async () => {
    const platform = virtualPlatform();
    const world = memoryWorld();
    let isSlow = false;
    /** Takes its time to say how far behind the subscriptions of the other topic are. */
    const open = async (context: EngineContext): Promise<Engine> => {
      const engine = await world.open(context);
      const bounds: Engine["topics"]["bounds"] = async (name) => {
        if (isSlow && name === others.name) await sleep(platform.clock, 400);
        return engine.topics.bounds(name);
      };
      return { ...engine, topics: { ...engine.topics, bounds }, state: engine.state as State };
    };
    const slow = service("slow", { from: "start", backlog: { eventsMax: 3 } }).on(
      Other,
      () => new Promise(() => undefined),
    );
    const consuming = await bench([slow], { world, platform, topics: [things, others], memberId: "one" });
    const b = await bench([], { world, platform, topics: [things, others], engine: { open }, memberId: "two" });
    const { one, both } = publishers(b);
    isSlow = true;
    const all = [one(0), both(1), one(2)];
    await b.clock.advance(100);
    all.push(both(3), one(4));
    await drive(b.clock, Promise.all(all));
    await drive(b.clock, Promise.all([both(5), b.clock.advance(1000)]));
    const refused = both(6);
    const behind = one(7);
    await assert.rejects(drive(b.clock, refused), { code: "TIDINGS_OVERLOADED" });
    await drive(b.clock, behind);
    assert.deepEqual(await orderOf(b), [0, 1, 2, 3, 4, 5, 7]);
    await drive(b.clock, Promise.all([consuming.app.stop({ timeoutMs: 10 }), b.app.stop()]));
  });
});
