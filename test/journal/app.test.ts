import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode, service, type ServiceOptions, tidings } from "tidings";

import { silentLogger } from "../../src/delivery/log.ts";
import { memoryWorld } from "../../src/engines/memory/factory.ts";
import { virtualPlatform } from "../../src/platform/virtual.ts";
import { bench, drive, Happened, things } from "../delivery/support.ts";
import { brokersOn } from "./broker.ts";

const allowed: ServiceOptions = { from: "start", guarantee: "at-least-once", onFailure: "blockPartition" };

/** Notes what it handles; fails while `fails` says so. */
function counting(fails: (n: number) => boolean = () => false, options: ServiceOptions = allowed) {
  const seen: string[] = [];
  const counter = service("counter", options).on(Happened, ({ data }) => {
    if (fails(data.n)) throw new Error("It fails.");
    seen.push(`${data.key}${data.n}`);
  });
  return { seen, counter };
}

describe("services on a broker without a store", () => {
  it("go on where they were when they are started again", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const first = counting();
    const one = await bench([first.counter], { platform, engine: brokersOn(world) });
    await one.feed("a", 0, 1, 2);
    await one.clock.advance(1000);
    await drive(platform.clock, one.app.stop());
    const second = counting();
    const two = await bench([second.counter], { platform, engine: brokersOn(world) });
    await two.feed("a", 3);
    await two.clock.advance(1000);
    assert.deepEqual([first.seen, second.seen], [["a0", "a1", "a2"], ["a3"]]);
    const { subscriptions } = await two.app.totals();
    assert.deepEqual(
      subscriptions.map(({ subscription, handled, pending }) => [subscription, handled, pending]),
      [["counter/things", 4, 0]],
    );
    await drive(platform.clock, two.app.stop());
  });

  it("take over from a member that died, and miss nothing", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const [brokers, other] = [brokersOn(world), brokersOn(world)];
    const dead = counting();
    const one = await bench([dead.counter], { platform, engine: brokers, memberId: "one" });
    await one.feed("a", 0, 1);
    await one.clock.advance(500);
    world.crash(brokers.opened[0]!);
    const alive = counting();
    const two = await bench([alive.counter], { platform, engine: other, memberId: "two" });
    await two.feed("a", 2, 3);
    await two.clock.advance(30_000);
    assert.deepEqual(
      [...new Set([...dead.seen, ...alive.seen])].toSorted((a, b) => (a < b ? -1 : 1)),
      ["a0", "a1", "a2", "a3"],
    );
    await drive(platform.clock, two.app.stop());
  });

  it("share the partitions, and hear of a pause that another member asks for", async () => {
    const world = memoryWorld();
    const platform = virtualPlatform();
    const both = [counting(), counting()];
    const one = await bench([both[0]!.counter], { platform, engine: brokersOn(world), memberId: "one" });
    const two = await bench([both[1]!.counter], { platform, engine: brokersOn(world), memberId: "two" });
    await platform.clock.advance(20_000);
    await drive(platform.clock, one.app.admin.subscriptions.pause("counter/things", { reason: "to look" }));
    await platform.clock.advance(5000);
    for (let n = 0; n < 20; n++) await two.feed(`k${n}-`, n);
    await platform.clock.advance(1000);
    assert.deepEqual(both.map(({ seen }) => seen.length), [0, 0]); // prettier-ignore
    await drive(platform.clock, two.app.admin.subscriptions.resume("counter/things"));
    await platform.clock.advance(10_000);
    const [first, second] = both.map(({ seen }) => seen.length) as [number, number];
    assert.equal(first + second, 20);
    assert.ok(first > 0 && second > 0, `${first} and ${second}`);
    for (const { app } of [one, two]) await drive(platform.clock, app.stop());
  });

  it("stop a partition at an event that fails, and go on behind it in order", async () => {
    const platform = virtualPlatform();
    let down = true;
    const { seen, counter } = counting((n) => down && n === 1);
    const one = await bench([counter], { platform, engine: brokersOn(memoryWorld()) });
    await one.feed("a", 0, 1, 2);
    await one.clock.advance(2000);
    assert.deepEqual(seen, ["a0"]);
    down = false;
    await one.clock.advance(120_000);
    assert.deepEqual(seen, ["a0", "a1", "a2"]);
    await drive(platform.clock, one.app.stop());
  });

  it("are refused at start when they ask for what needs a store", async () => {
    const asking: [string, ServiceOptions][] = [
      ["the guarantee exactly-once", { onFailure: "blockPartition" }],
      ["the guarantee at-most-once", { guarantee: "at-most-once", onFailure: "blockPartition" }],
      ['onFailure "blockKey"', { guarantee: "at-least-once" }],
      ["an inbox", { ...allowed, inbox: { windowMs: 1000 } }],
    ];
    for (const [what, options] of asking) {
      const { counter } = counting(undefined, options);
      await assert.rejects(bench([counter], { engine: brokersOn(memoryWorld()) }), (error) => {
        assert.ok(hasCode(error, "TIDINGS_UNSUPPORTED"));
        assert.ok(error.message.includes(what), error.message);
        assert.match(error.message, /^"counter\/things" asks for .* TIDINGS_STORE /);
        return true;
      });
    }
  });

  it("are told in the handler that state and once need a store", async () => {
    const said: unknown[] = [];
    const asking = service("counter", allowed).on(Happened, async (_, ctx) => {
      await Promise.resolve()
        .then(() => ctx.state("box"))
        .catch((error: unknown) => said.push(error));
      await ctx.once("key", () => 1).catch((error: unknown) => said.push(error));
    });
    const platform = virtualPlatform();
    const one = await bench([asking], { platform, engine: brokersOn(memoryWorld()) });
    await one.feed("a", 0);
    assert.deepEqual(
      said.map((error) => hasCode(error, "TIDINGS_UNSUPPORTED")),
      [true, true],
    );
    await drive(platform.clock, one.app.stop());
  });
});

describe("an application that only publishes", () => {
  it("needs no store on a broker, and logs no fault", async () => {
    const platform = virtualPlatform();
    const faults: string[] = [];
    const note = (_fields: object, message: string): void => void faults.push(message);
    const logger = { ...silentLogger, warn: note, error: note };
    const app = tidings({ name: "web", topics: [things], engine: brokersOn(memoryWorld()), platform, logger });
    await drive(platform.clock, app.start());
    await drive(platform.clock, app.publish(Happened, { key: "a", n: 1 }));
    await platform.clock.advance(10_000);
    await drive(platform.clock, app.stop());
    assert.deepEqual(faults, []);
  });
});
