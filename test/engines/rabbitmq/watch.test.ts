import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Channel } from "amqplib";

import type { Engine } from "../../../src/ports/engine.ts";
import { channel, entry, open, prefixFor, until, withoutRabbitmq } from "./support.ts";

/** More than a listener rests. */
const apartMs = 60;

describe("a listener of a topic", { skip: withoutRabbitmq }, () => {
  it("hears of what others publish, and has the server make no consumer for each event while it reads along", async (t) => {
    const prefix = prefixFor(t);
    const [engine, other] = [await open(t, { prefix }), await open(t, { prefix })];
    const made = await consumersMade(t);
    await other.topics.declare([{ name: "orders", partitions: 1 }]);
    let heard = 0;
    let position = 0;
    t.after(engine.topics.watch("orders", () => void heard++));
    const readOn = async (): Promise<void> => {
      position = (await engine.topics.read("orders", 0, position, { events: 100, bytes: 1_000_000 })).next;
    };
    const publish = async (n: number, reads: boolean): Promise<void> => {
      const before = heard;
      await other.topics.publish([entry(n)]);
      await until(`event ${n} is heard of`, () => heard > before);
      // Once: more would ask whether there is more.
      if (reads) await readOn();
      await delay(apartMs);
    };
    for (let n = 0; n < 3; n++) await publish(n, true);
    const before = made();
    for (let n = 3; n < 23; n++) await publish(n, true);
    // Whoever asks whether there is more makes one, now and then.
    assert.ok(made() - before < 10, `${made() - before} consumers for 20 events`);
    for (let n = 23; n < 26; n++) await publish(n, false);
    await readsTo(engine, 26);
  });

  it("hears of what it does not read, and has the server make a consumer for it once a second", async (t) => {
    const prefix = prefixFor(t);
    const [engine, other] = [await open(t, { prefix }), await open(t, { prefix })];
    await other.topics.declare([{ name: "orders", partitions: 1 }]);
    const made = await consumersMade(t);
    let heard = 0;
    t.after(engine.topics.watch("orders", () => void heard++));
    await until("it listens", () => made() > 0);
    await until("it hears", async () => {
      await other.topics.publish([entry(0)]);
      await delay(apartMs);
      return heard > 1;
    });
    const before = made();
    for (let n = 0; n < 20; n++) {
      await other.topics.publish([entry(n)]);
      await delay(apartMs);
    }
    assert.ok(made() - before < 10, `${made() - before} consumers for 20 events`);
    const far = heard;
    await other.topics.publish([entry(20)]);
    await until("it goes on to hear", () => heard > far);
  });
});

/** Counts the consumers that are made in this process. */
async function consumersMade(t: TestContext): Promise<() => number> {
  const confirming = await channel(t);
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf(confirming)) as Channel;
  const consume = t.mock.method(prototype, "consume");
  return () => consume.mock.callCount();
}

async function readsTo(engine: Engine, end: number): Promise<void> {
  const { records } = await engine.topics.read("orders", 0, 0, { events: 100, bytes: 1_000_000 });
  assert.equal(records.length, end);
}
