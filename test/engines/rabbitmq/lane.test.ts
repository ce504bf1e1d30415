import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connect } from "amqplib";

import { FaultProxy } from "../../../scripts/chaos/proxy.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { Call } from "../../../src/engines/broker/call.ts";
import { discard } from "../../../src/engines/rabbitmq/client.ts";
import { Item, Owner } from "../../../src/engines/rabbitmq/item.ts";
import { Known } from "../../../src/engines/rabbitmq/known.ts";
import { Lane } from "../../../src/engines/rabbitmq/lane.ts";
import type { Line } from "../../../src/engines/rabbitmq/link.ts";
import { settingsOf } from "../../../src/engines/rabbitmq/options.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { channel, platform, prefixFor, rejection, withoutRabbitmq } from "./support.ts";

/** Connections by a proxy. */
async function way(t: TestContext): Promise<{ proxy: FaultProxy; readonly dial: () => Promise<Line> }> {
  const url = new URL(serviceUrl("rabbitmq"));
  const proxy = await FaultProxy.listen(Number(url.port), t.name);
  afterwards(t, () => proxy.close());
  url.port = String(proxy.port);
  return {
    proxy,
    async dial() {
      const model = await connect(url.href);
      model.on("error", () => undefined);
      afterwards(t, () => discard(model));
      return { model, blocked: undefined, failure: undefined };
    },
  };
}

/** A lane to a stream of the test's own, whose time goes on when the test says so. */
async function laneTo(t: TestContext, line: () => Line | undefined) {
  const queue = prefixFor(t);
  const on = await channel(t);
  await on.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "stream" } });
  afterwards(t, () => on.deleteQueue(queue));
  const timers: (() => void)[] = [];
  const clock = {
    monotonic: () => platform.clock.monotonic(),
    after: (_ms: number, act: () => void) => (timers.push(act), () => undefined),
  } as unknown as Clock;
  const settings = settingsOf({ url: serviceUrl("rabbitmq"), durability: "weak" });
  const known = new Known("test");
  let stuck = 0;
  const lane = new Lane(queue, { clock, settings, known, line, settled: () => undefined, stuck: () => void stuck++ });
  return {
    lane,
    /** How often it said that the connection gets nothing done. */
    stuck: () => stuck,
    /** Lets the pauses be over. */
    goOn: () => timers.splice(0).forEach((act) => act()),
    publish: (bytes = 2) =>
      new Promise((resolve, reject) => {
        const data = Buffer.alloc(bytes, " ");
        const draft = { topic: "orders", partition: 0, queue, headers: {}, contentType: undefined, data, bytes };
        const host = { address: settings.address, over: () => undefined };
        lane.push(new Item(draft, false, new Owner(new Call(1, clock.monotonic(), host, resolve, reject), 0)));
        lane.pump();
      }),
  };
}

describe("the events of a partition of RabbitMQ", { skip: withoutRabbitmq }, () => {
  it("go by the next connection when one was lost while a channel that nobody used was being closed", async (t) => {
    const { proxy, dial } = await way(t);
    let line: Line | undefined = await dial();
    const { lane, goOn, publish } = await laneTo(t, () => line);
    await publish();
    proxy.halfOpen("all");
    lane.tick(platform.clock.monotonic() + 60_000);
    const waiting = publish();
    goOn();
    const { model } = line;
    const ended = new Promise((resolve) => model.once("close", resolve));
    discard(model);
    await ended;
    line = undefined;
    lane.down();
    line = await dial();
    goOn();
    assert.deepEqual(await waiting, [{ position: -1, duplicate: false }]);
  });

  it("are given the time that a slow way takes, and no more", async (t) => {
    const { proxy, dial } = await way(t);
    const line = await dial();
    const { lane, publish, stuck } = await laneTo(t, () => line);
    await publish();
    const fast = proxy.slow("all", 1, 1_000_000);
    const large = publish(4_000_000);
    lane.tick(platform.clock.monotonic() + 20_000);
    assert.equal(stuck(), 0);
    fast();
    await large;
    proxy.halfOpen("all");
    void publish();
    lane.tick(platform.clock.monotonic() + 20_000);
    assert.equal(stuck(), 1);
  });

  it("what was asked of a connection that is let go of is answered at once", async (t) => {
    const { proxy, dial } = await way(t);
    const { model } = await dial();
    const on = await model.createChannel();
    proxy.halfOpen("all");
    const asked = rejection(on.checkQueue("any"));
    discard(model);
    assert.match((await asked).message, /no reply will be forthcoming/);
  });
});
