import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { entry, open, prefixFor, record, withoutNats } from "./support.ts";

const limits = { events: 1000, bytes: 1 << 24 };

describe("the order of publishes on NATS", { skip: withoutNats }, () => {
  it("holds around an event with an id of the caller's that another process publishes at the same time", async (t) => {
    const prefix = prefixFor(t);
    const one = await open(t, { prefix });
    const two = await open(t, { prefix });
    await one.topics.declare([{ name: "orders", partitions: 1 }]);
    await two.topics.find("orders");
    const rounds = 2000;
    const calls: Promise<unknown>[] = [];
    const event = (id: string) => entry(0, { record: record(0, { id }) });
    for (let n = 0; n < rounds; n++) {
      const same = { ...event(`same-${n}`), checkId: true };
      calls.push(one.topics.publish([event(`before-${n}`)]), one.topics.publish([same]));
      calls.push(two.topics.publish([same]), one.topics.publish([event(`after-${n}`)]));
      if (n % 8 === 0) await Promise.all(calls.splice(0));
    }
    await Promise.all(calls);
    const ids: string[] = [];
    for (let position = 0, end = false; !end;) {
      const page = await one.topics.read("orders", 0, position, limits);
      ids.push(...page.records.map(({ id }) => id));
      [end, position] = [page.next <= position, page.next];
    }
    assert.equal(ids.length, rounds * 3);
    const mine = ids.filter((id) => !id.startsWith("same"));
    assert.deepEqual(mine, Array.from({ length: rounds }, (_, n) => [`before-${n}`, `after-${n}`]).flat());
  });
});
