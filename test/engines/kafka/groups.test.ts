import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Consumer } from "@platformatic/kafka";
import { type App, type AppOptions, service, tidings, topic } from "tidings";
import { z } from "zod";

import { offsetsOf } from "../../../scripts/conformance/engines.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { admin, allow, clientOptions, entry, open, ownServer, prefixFor, rejection, until, withoutKafka, withUsers } from "./support.ts"; // prettier-ignore

const orders = topic("orders", { key: ({ key }: { key: string }) => key, partitions: 3 });
const Placed = orders.event("order.placed", { data: z.object({ key: z.string(), n: z.number() }) });

/** Starts a service that reads orders, once or at least once. */
async function reader(t: TestContext, url: string, options: Partial<AppOptions> = {}): Promise<App> {
  const without = { guarantee: "at-least-once", onFailure: "blockPartition" } as const;
  const reading = service("reader", { from: "start", ...(options.store ? {} : without) });
  const app = tidings({
    name: "shop",
    url,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    services: [reading.on(Placed, () => undefined)],
    ...options,
  });
  await app.start();
  afterwards(t, () => app.stop());
  return app;
}

function storeFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tidings-kafka-groups-"));
  afterwards(t, () => rmSync(folder, { recursive: true, force: true }));
  return `sqlite:${join(folder, "store.db")}`;
}

const placed = async (app: App, count: number): Promise<void> => {
  await Promise.all(Array.from({ length: count }, (_, n) => app.publish(Placed, { key: `k${n}`, n })));
  await app.settled();
};

/** By partition, what `tidings sub show` says. */
async function lows(app: App): Promise<Map<number, number>> {
  const { partitions } = await app.admin.subscriptions.show("reader/orders");
  return new Map(partitions.map(({ partition, low }) => [partition, low]));
}

describe("the group of a subscription in Kafka", { skip: withoutKafka }, () => {
  for (const kept of ["a store", "a journal"])
    it(`has the positions that stand in ${kept}, also those that a seek takes back and those of a stop`, async (t) => {
      const prefix = prefixFor(t);
      const url = `${serviceUrl("kafka")}?prefix=${prefix}&durability=weak`;
      const app = await reader(t, url, kept === "a store" ? { store: storeFor(t) } : {});
      const tools = admin(t);
      const shown = (): Promise<Map<number, number>> => offsetsOf(tools, `${prefix}reader.orders`, `${prefix}orders`);
      await placed(app, 30);
      const all = await lows(app);
      assert.equal([...all.values()].reduce((sum, low) => sum + low, 0), 30); // prettier-ignore
      await until("the group has them", async () => isDeepStrictEqual(await shown(), all), 15_000);
      await app.admin.subscriptions.pause("reader/orders", { reason: "a test" });
      await app.admin.subscriptions.seek("reader/orders", "start");
      assert.deepEqual([...(await lows(app)).values()], [0, 0, 0]);
      await until("it goes back", async () => [...(await shown()).values()].every((offset) => offset === 0), 15_000);
      await app.admin.subscriptions.resume("reader/orders");
      await app.settled();
      await app.stop();
      assert.deepEqual(await shown(), all);
      assert.deepEqual((await tools.describeGroups({ groups: [`${prefix}reader.orders`] })).get(`${prefix}reader.orders`)?.members.size, 0); // prettier-ignore
    });

  it("that may not be written is warned of once with the permission, and the application goes on", async (t) => {
    const { port, url } = await ownServer(t, () => withUsers);
    const operator = admin(t, url);
    const operations = ["CREATE", "DESCRIBE", "DESCRIBE_CONFIGS", "READ", "WRITE", "DELETE"] as const;
    await operator.createAcls({ creations: operations.map((operation) => allow("TOPIC", "", operation)) });
    const warned: [object, string][] = [];
    const warn = (fields: object, message: string): void => void warned.push([fields, message]);
    const logger = { debug() {}, info() {}, error() {}, warn };
    const own = `kafka://app:x@127.0.0.1:${port}?saslMechanism=PLAIN&durability=weak`;
    const app = await reader(t, own, { store: storeFor(t), logger });
    await placed(app, 10);
    const about = (): [object, string][] => warned.filter(([, message]) => /shown/.test(message));
    await until("it is warned of", () => about().length > 0);
    await placed(app, 10);
    assert.equal((await app.health()).status, "green");
    await app.stop();
    assert.equal(about().length, 1);
    assert.deepEqual(about()[0]?.[0], { code: "TIDINGS_ACCESS_DENIED", subscription: "reader/orders" });
    assert.match(about()[0]?.[1] ?? "", /permission Read of group "reader\.orders"/);
    await operator.createAcls({ creations: [allow("GROUP", "reader.", "READ")] });
    const engine = await open(t, { url: own.split("?")[0] as string, saslMechanism: "PLAIN" });
    await until("the broker knows of the permission", () => engine.topics.showPositions!("reader/orders", "orders", [{ partition: 0, position: 1 }]).then(() => true, () => false)); // prettier-ignore
  });

  it("in which others consume is left to them, and told of", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const consumer = new Consumer({ ...clientOptions(), groupId: `${prefix}mine.orders` });
    afterwards(t, () => consumer.close(true));
    const stream = await consumer.consume({ topics: [`${prefix}orders`], mode: "earliest" });
    stream.on("error", () => undefined);
    await until("it has joined", () => consumer.isActive());
    const shown = engine.topics.showPositions?.("mine/orders", "orders", [{ partition: 0, position: 1 }]);
    const refused = await rejection(shown as Promise<void>);
    assert.equal(refused.code, "TIDINGS_INVALID_OPTION", refused.message);
    assert.match(refused.message, /group "t-.*mine\.orders".*groupPrefix/);
    await engine.topics.showPositions?.("other/orders", "orders", [{ partition: 0, position: 1 }]);
  });

  it("is not there where that is not wanted, and has the prefix that it is given", async (t) => {
    const prefix = prefixFor(t);
    const without = [await open(t, { prefix, consumerGroups: false }), await open(t, { prefix, readOnly: true })];
    for (const { topics, capabilities } of without)
      assert.deepEqual(["showPositions" in topics, capabilities.showsPositions], [false, false]);
    const engine = await open(t, { prefix, groupPrefix: `${prefix}lag-` });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.showPositions?.("mine/orders", "orders", [{ partition: 0, position: 7 }]);
    assert.deepEqual(await offsetsOf(admin(t), `${prefix}lag-mine.orders`, `${prefix}orders`), new Map([[0, 7]]));
  });
});
