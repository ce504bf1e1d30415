import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { afterwards } from "../../lib/afterwards.ts";
import { entry, open, prefixFor, until, withoutRabbitmq } from "./support.ts";

describe("a stream of RabbitMQ that another process writes to all the time", { skip: withoutRabbitmq }, () => {
  it("has its bounds told, takes events whose positions are asked for, and finds times", async (t) => {
    const prefix = prefixFor(t);
    const [writer, engine] = await Promise.all([open(t, { prefix }), open(t, { prefix, busyTimeoutMs: 3000 })]);
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    let acknowledged = 0;
    let running = true;
    const work = (async () => {
      while (running) {
        await writer.topics.publish([entry(acknowledged)], { positions: false });
        acknowledged++;
      }
    })();
    afterwards(t, () => ((running = false), work));
    await until("it writes", () => acknowledged > 200);
    for (let times = 0; times < 3; times++) {
      const before = acknowledged;
      const [bounds] = await engine.topics.bounds("orders");
      assert.ok(bounds!.next >= before, `${bounds!.next} is not before ${before}`);
      const [appended] = await engine.topics.publish([entry(-1)]);
      assert.ok(appended!.position >= bounds!.next);
      const [position] = await engine.topics.positionsAt("orders", Date.now() - 20);
      assert.ok(position! > 0 && position! < acknowledged + 10);
    }
  });
});
