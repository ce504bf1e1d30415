import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Listeners } from "../../../src/engines/broker/listeners.ts";
import { virtualPlatform } from "../../../src/platform/virtual.ts";

describe("the listeners of a broker's topics", () => {
  it("are told once a turn of each partition, and once of all when it may be any", async () => {
    const { clock } = virtualPlatform();
    const listeners = new Listeners(clock);
    const heard: (number | undefined)[] = [];
    listeners.add("orders", (partition) => void heard.push(partition));
    for (const partition of [1, 2, 1, 2, 1]) listeners.tell("orders", partition);
    listeners.tell("payments", 3);
    assert.deepEqual(heard, []);
    await clock.flush();
    assert.deepEqual(heard.splice(0), [1, 2]);
    for (const partition of [1, undefined, 2]) listeners.tell("orders", partition);
    await clock.flush();
    assert.deepEqual(heard.splice(0), [undefined]);
    await clock.flush();
    assert.deepEqual(heard, []);
  });

  it("say when the last one of a topic has gone, also where one function listened twice", async () => {
    const { clock } = virtualPlatform();
    const listeners = new Listeners(clock);
    let calls = 0;
    const listener = (): void => void calls++;
    const [one, two] = [listeners.add("orders", listener), listeners.add("orders", listener)];
    assert.deepEqual([one(), one()], [false, false]);
    listeners.tell("orders");
    await clock.flush();
    assert.equal(calls, 1);
    assert.equal(two(), true);
    listeners.tell("orders");
    await clock.flush();
    assert.equal(calls, 1);
  });
});
