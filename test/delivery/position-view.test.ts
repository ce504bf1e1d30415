import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type AppOptions, type Service, service } from "tidings";

import { createAdmin } from "../../src/admin/admin.ts";
import { TidingsError } from "../../src/errors/tidings-error.ts";
import { memoryWorld, type MemoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import type { ShownPosition } from "../../src/ports/topics.ts";
import { afterwards } from "../lib/afterwards.ts";
import { type Bench, bench, drive, gate, Happened } from "./support.ts";

/** What the tools of an engine were shown, call by call. */
interface Tools {
  readonly calls: { readonly subscription: string; readonly topic: string; readonly positions: readonly ShownPosition[] }[]; // prettier-ignore
  /** By partition, as it stands. */
  readonly shown: Map<number, number>;
  /** What the next calls do. */
  refuse: TidingsError | undefined;
  hangs: boolean;
}

function toolsOf(world: MemoryWorld): { tools: Tools; open: (context: EngineContext) => Promise<Engine> } {
  const tools: Tools = { calls: [], shown: new Map(), refuse: undefined, hangs: false };
  const open = async (context: EngineContext): Promise<Engine> => {
    const engine = await world.open(context);
    const showPositions = async (subscription: string, topic: string, positions: readonly ShownPosition[]) => {
      if (tools.hangs) await new Promise(() => undefined);
      tools.calls.push({ subscription, topic, positions });
      if (tools.refuse) throw tools.refuse;
      for (const { partition, position } of positions) tools.shown.set(partition, position);
    };
    return { ...engine, topics: { ...engine.topics, showPositions } };
  };
  return { tools, open };
}

/** A reader of all that happened, whose positions are shown. */
async function reader(
  t: TestContext,
  options: Omit<Partial<AppOptions>, "platform"> & { handle?: (n: number) => void | Promise<void> } = {},
): Promise<{
  tools: Tools;
  at: Bench;
  world: MemoryWorld;
  open: ReturnType<typeof toolsOf>["open"];
  platform: ReturnType<typeof virtualPlatform>;
}> {
  const { handle = () => undefined, ...rest } = options;
  const world = memoryWorld();
  const { tools, open } = toolsOf(world);
  const platform = virtualPlatform({ seed: 1 });
  const at = await bench([reading(handle)], { engine: { open }, platform, world, ...rest });
  afterwards(t, () => drive(at.clock, at.app.stop()));
  return { tools, at, world, open, platform };
}

const reading = (handle: (n: number) => void | Promise<void>): Service =>
  service("reader", { from: "start" }).on(Happened, ({ data }) => handle(data.n));

const minutes = async (at: Bench, count: number): Promise<void> => {
  await at.clock.advance(count * 60_000);
  await at.rest();
};

describe("what the tools of an engine are shown", () => {
  it("is the position of every partition, a little later, and again when it has moved", async (t) => {
    const { tools, at } = await reader(t);
    await at.feed("a", 0, 1, 2);
    await at.clock.advance(6000);
    await at.rest();
    const first = Object.fromEntries(tools.shown);
    assert.equal(
      Object.values(first)
        .toSorted((a, b) => a - b)
        .join(),
      "0,3",
    );
    assert.deepEqual(new Set(tools.calls.map(({ subscription, topic }) => `${subscription} ${topic}`)), new Set(["reader/things things"])); // prettier-ignore
    const calls = tools.calls.length;
    await at.clock.advance(20_000);
    await at.rest();
    assert.equal(tools.calls.length, calls, "nothing has moved");
    await at.feed("a", 3);
    await at.clock.advance(6000);
    await at.rest();
    assert.equal([...tools.shown.values()].toSorted((a, b) => a - b).join(), "0,4");
    assert.deepEqual(tools.calls.slice(calls).map(({ positions }) => positions.length), [1]); // prettier-ignore
    await minutes(at, 11);
    assert.equal(tools.calls.at(-1)?.positions.length, 2, "engines may forget what was said long ago");
  });

  it("ends before the first event that is not finished, and is the last word at a stop", async (t) => {
    const waiting = gate();
    const { tools, at } = await reader(t, { handle: (n) => (n === 1 ? waiting.opened : undefined) });
    await at.feed("a", 0, 1);
    await at.feed("a", 2);
    await at.clock.advance(6000);
    await at.rest();
    assert.equal(Math.max(...tools.shown.values()), 1);
    waiting.open();
    await drive(at.clock, at.app.stop());
    assert.equal(Math.max(...tools.shown.values()), 3);
  });

  it("goes back where a seek does, also with no application that runs", async (t) => {
    const waiting = gate();
    let sought = false;
    const { tools, at } = await reader(t, { handle: () => (sought ? waiting.opened : undefined) });
    await at.feed("a", 0, 1, 2);
    await at.clock.advance(6000);
    await at.rest();
    assert.equal(Math.max(...tools.shown.values()), 3);
    sought = true;
    await drive(at.clock, at.app.admin.subscriptions.seek("reader/things", "start"));
    await at.clock.advance(6000);
    await at.rest();
    assert.equal(Math.max(...tools.shown.values()), 0);
    waiting.open();
    const { platform, world } = at;
    await drive(at.clock, at.app.stop());
    assert.equal(Math.max(...tools.shown.values()), 3);
    const other = toolsOf(world);
    const engine = await other.open({ platform });
    const admin = createAdmin({ engine, platform, by: "test", memberId: "admin", source: "/test" });
    await drive(at.clock, admin.subscriptions.seek("reader/things", "start"));
    assert.deepEqual([...other.tools.shown.values()], [0, 0]);
  });

  it("is said by whoever owns the partition: one who has lost it without knowing says nothing", async (t) => {
    const { tools, at, world } = await reader(t, { memberTtlMs: 60_000 });
    await at.clock.advance(6000);
    await at.feed("a", 0);
    const observer = await world.open({ platform: at.platform });
    const leases = (await observer.leases?.list("partition/")) ?? [];
    await observer.leases?.release(leases);
    const others = leases.map(({ name }) => ({ name, owner: "other#1", ttlMs: 60_000 }));
    assert.equal((await observer.leases?.acquire(others))?.length, 2);
    const calls = tools.calls.length;
    await at.clock.advance(5100);
    await at.rest();
    assert.equal(tools.calls.length, calls);
  });

  it("never goes back when partitions go from one member to another", async (t) => {
    const { tools, at, open, platform } = await reader(t);
    const { clock, world } = at;
    const numbers = [...Array(10).keys()];
    await at.feed("a", ...numbers);
    await clock.advance(4000);
    const other = await bench([reading(() => undefined)], { engine: { open }, platform, world, memberId: "other" });
    afterwards(t, () => drive(clock, other.app.stop()));
    for (let round = 0; round < 10; round++) {
      await at.feed("a", ...numbers);
      await at.feed(`b${round}`, ...numbers);
      await clock.advance(2100);
    }
    const owners = (await drive(clock, other.app.admin.subscriptions.show("reader/things"))).partitions;
    assert.equal(new Set(owners.map(({ owner }) => owner)).size, 2, "each has one");
    await drive(clock, at.app.stop());
    await drive(clock, other.app.publish(Happened, { key: "a", n: 1 }));
    await clock.advance(20_000);
    await other.rest();
    const last = new Map<number, number>();
    for (const { partition, position } of tools.calls.flatMap(({ positions }) => positions)) {
      assert.ok(position >= (last.get(partition) ?? 0), `${position} after ${last.get(partition)}`);
      last.set(partition, position);
    }
    assert.equal([...last.values()].reduce((sum, position) => sum + position, 0), 211); // prettier-ignore
  });

  it("is warned of once where it is not allowed, and holds up nothing", async (t) => {
    const warned: string[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (_: object, message: string) => void warned.push(message) }; // prettier-ignore
    const { tools, at } = await reader(t, { logger });
    tools.refuse = new TidingsError("TIDINGS_ACCESS_DENIED", "Grant it.");
    await at.feed("a", 0, 1);
    await minutes(at, 5);
    assert.equal(warned.filter((message) => message.includes("Grant it.")).length, 1);
    assert.equal(tools.calls.length, 1);
    assert.equal((await drive(at.clock, at.app.health())).status, "green");
    tools.refuse = undefined;
    await minutes(at, 10);
    assert.equal(Math.max(...tools.shown.values()), 2, "it was tried again after a while");
    assert.equal(warned.length, 1);
  });

  it("does not keep a stop waiting", async (t) => {
    const { tools, at } = await reader(t);
    await at.feed("a", 0);
    tools.hangs = true;
    const beganMs = at.clock.monotonic();
    await drive(at.clock, at.app.stop());
    assert.ok(at.clock.monotonic() - beganMs < 1500);
  });
});
