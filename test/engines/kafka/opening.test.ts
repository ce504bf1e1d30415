import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { kafka } from "../../../src/engines/kafka/index.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { without } from "../../lib/machine.ts";
import {
  admin,
  allow,
  certificates,
  createTopic,
  entry,
  numbers,
  open,
  ownServer,
  platform,
  prefixFor,
  rejection,
  withoutKafka,
  withUsers,
} from "./support.ts";

const opening = (options: Partial<Parameters<typeof kafka>[0]> & { url: string }) =>
  rejection(kafka({ durability: "weak", ...options }).open({ platform }));

describe("opening Kafka", { skip: withoutKafka }, () => {
  it("makes topics once, however many members do so at once", async (t) => {
    const prefix = prefixFor(t);
    const engines = await Promise.all([1, 2, 3, 4].map(() => open(t, { prefix })));
    await Promise.all(engines.map((engine) => engine.topics.declare([{ name: "orders", partitions: 2 }])));
    await Promise.all(engines.map((engine, n) => engine.topics.publish([entry(n)])));
    for (const engine of engines)
      assert.deepEqual(
        (await numbers(engine)).toSorted((a, b) => a - b),
        [0, 1, 2, 3],
      );
  });

  it("meets a topic once, however many calls look it up at once, and writes all of its events", async (t) => {
    const engine = await open(t, { prefix: prefixFor(t) });
    for (let n = 0; n < 20; n++) {
      const topic = `orders${n}`;
      const declaring = [1, 2, 3].map(() => engine.topics.declare([{ name: topic, partitions: 1 }]));
      await Promise.any(declaring);
      const [first] = await engine.topics.publish([entry(0, { topic })]);
      await Promise.all(declaring);
      const [second] = await engine.topics.publish([entry(1, { topic })]);
      assert.deepEqual([first?.position, second?.position], [0, 1]);
      assert.deepEqual(await numbers(engine, 0, topic), [0, 1]);
    }
  });

  it("is refused unless its durability can be held, with the reason and the way out", async () => {
    const replicated = await rejection(kafka({ url: serviceUrl("kafka") }).open({ platform }));
    assert.equal(replicated.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(replicated.message, /has not synced yet.*durability "disk".*durability "weak"/);
  });

  it("is refused where there are too few brokers for the replicas", async () => {
    const refused = await opening({ url: serviceUrl("kafka"), replicas: 2 });
    assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(refused.message, /no 2 brokers/);
  });

  it("says what an acknowledgement means with the durability that was stated", async (t) => {
    assert.equal((await open(t)).capabilities.durability, "confirmed");
    assert.equal((await open(t, { durability: "disk" })).capabilities.durability, "disk");
  });

  it("with a wrong password is refused at once, and says no secret", async () => {
    const url = serviceUrl("kafka").replace(/:[^:@]*@/, ":not-the-password@");
    const refused = await opening({ url });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.doesNotMatch(refused.message, /not-the-password/);
  });

  it("with a mechanism that the brokers do not have is refused with those that they have", async () => {
    const refused = await opening({ url: serviceUrl("kafka"), saslMechanism: "PLAIN" });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED", refused.message);
  });

  it("where nobody listens is refused after its time", async () => {
    assert.equal((await opening({ url: "kafka://127.0.0.1:1", busyTimeoutMs: 200 })).code, "TIDINGS_UNREACHABLE");
  });

  it("by a user who may not do everything is refused with the permission that is missing", async (t) => {
    const { port } = await ownServer(t, () => withUsers);
    const plain = (user: string) => ({ url: `kafka://${user}:x@127.0.0.1:${port}`, saslMechanism: "PLAIN" as const });
    const refused = await opening(plain("app"));
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.match(refused.message, /IdempotentWrite of the cluster/);
    const all = await open(t, plain("all"));
    await all.topics.declare([{ name: "orders", partitions: 1 }]);
    await all.topics.publish([entry(0)]);
    const reader = await open(t, { ...plain("app"), readOnly: true });
    const denied = await rejection(reader.topics.read("orders", 0, 0, { events: 1, bytes: 1 }));
    assert.equal(denied.code, "TIDINGS_ACCESS_DENIED");
    assert.match(denied.message, /topic "orders"/);
  });

  it("by a user with the permissions of the docs is enough for everything", async (t) => {
    const { port, url } = await ownServer(t, () => withUsers);
    const operations = ["CREATE", "DESCRIBE", "DESCRIBE_CONFIGS", "READ", "WRITE", "DELETE"] as const;
    const creations = operations.map((operation) => allow("TOPIC", "shop.", operation));
    await admin(t, url).createAcls({ creations: [...creations, allow("GROUP", "shop.", "READ")] });
    const app = { url: `kafka://app:x@127.0.0.1:${port}`, saslMechanism: "PLAIN" as const, prefix: "shop." };
    const engine = await open(t, app);
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    engine.topics.watch("orders", () => undefined);
    await engine.topics.publish([entry(0), entry(1)]);
    assert.deepEqual(await numbers(engine), [0, 1]);
    assert.equal((await engine.topics.positionsAt("orders", 0))[0], 0);
    await engine.topics.showPositions?.("payments/orders", "orders", [{ partition: 0, position: 2 }]);
    assert.equal(await engine.topics.retain("orders", { appendedBeforeMs: Date.now() + 60_000 }), 2);
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("by TLS checks who the broker is", { skip: without("openssl") }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tidings-kafka-tls-"));
    afterwards(t, () => rmSync(folder, { recursive: true, force: true }));
    const store = certificates(folder);
    const server = await ownServer(t, (port) => [
      "listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SSL",
      `listeners=CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1},SECURE://127.0.0.1:${port + 2}`,
      `advertised.listeners=CLIENT://127.0.0.1:${port},SECURE://localhost:${port + 2}`,
      ...store,
    ]);
    const caFile = join(folder, "server.pem");
    const at = (host: string, scheme = "kafkas") => `${scheme}://${host}:${server.port + 2}`;
    const engine = await open(t, { url: at("localhost"), caFile });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    for (const wrong of [
      { url: at("127.0.0.1"), caFile },
      { url: at("localhost") },
      { url: at("localhost", "kafka") },
    ]) {
      const refused = await opening({ ...wrong, connectTimeoutMs: 1000, busyTimeoutMs: 2000 });
      assert.equal(refused.code, "TIDINGS_ACCESS_DENIED", refused.message);
      assert.match(refused.message, /kafkas:/);
    }
  });

  it("for reading only makes nothing, reads, and writes nothing", async (t) => {
    const prefix = prefixFor(t);
    const writer = await open(t, { prefix });
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    await writer.topics.publish([entry(0)]);
    const reader = await open(t, { prefix, readOnly: true });
    assert.deepEqual(await numbers(reader), [0]);
    for (const call of [
      () => reader.topics.publish([entry(1)]),
      () => reader.topics.declare([{ name: "more", partitions: 1 }]),
      () => reader.topics.retain("orders", { appendedBeforeMs: 0 }),
    ])
      assert.equal((await rejection(call())).code, "TIDINGS_READ_ONLY");
  });
});

describe("a topic in Kafka", { skip: withoutKafka }, () => {
  it("that was removed, or made anew, is told of, and nothing is written to another one of its name", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix, busyTimeoutMs: 1000, pingIntervalMs: 200 });
    await engine.topics.declare([{ name: "orders", partitions: 1 }, { name: "others", partitions: 1 }]); // prettier-ignore
    await engine.topics.publish([entry(0)]);
    const operator = admin(t);
    await operator.deleteTopics({ topics: [`${prefix}orders`] });
    assert.equal((await rejection(engine.topics.publish([entry(1)]))).code, "TIDINGS_STORE_REPLACED");
    assert.equal((await rejection(engine.topics.bounds("orders"))).code, "TIDINGS_STORE_REPLACED");
    await engine.topics.publish([entry(0, { topic: "others" })]);
  });

  it("is not made where createTopics is false", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix, createTopics: false });
    const missing = await rejection(engine.topics.declare([{ name: "orders", partitions: 3 }]));
    assert.equal(missing.code, "TIDINGS_NOT_FOUND");
    assert.match(missing.message, /with 3 partitions/);
    await createTopic(t, `${prefix}orders`, 3);
    await engine.topics.declare([{ name: "orders", partitions: 3 }]);
    await engine.topics.publish([entry(0)]);
    assert.deepEqual(await numbers(engine), [0]);
  });

  it("that does not sync is refused where that was promised", async (t) => {
    const prefix = prefixFor(t);
    await createTopic(t, `${prefix}orders`);
    const engine = await open(t, { prefix, durability: "disk" });
    const refused = await rejection(engine.topics.declare([{ name: "orders", partitions: 1 }]));
    assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(refused.message, /flush\.messages/);
    await engine.topics.declare([{ name: "mine", partitions: 1 }]);
    await engine.topics.publish([entry(0, { topic: "mine" })]);
  });

  it("that takes less than the broker refuses a larger event before anything is sent", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix });
    const configs = [{ name: "max.message.bytes", value: "2000" }];
    await createTopic(t, `${prefix}orders`, 1, configs);
    const large = entry(1, { record: { ...entry(1).record, data: JSON.stringify({ n: 1, x: "x".repeat(3000) }) } });
    const refused = await rejection(engine.topics.publish([entry(0), large]));
    assert.equal(refused.code, "TIDINGS_EVENT_TOO_LARGE");
    // Together they are more than one batch may have.
    await engine.topics.publish(Array.from({ length: 50 }, (_, n) => entry(n)));
    assert.equal((await numbers(engine)).length, 50);
  });

  it("whose largest batch was made smaller meanwhile takes smaller ones", async (t: TestContext) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const { ConfigResourceTypes, IncrementalAlterConfigOperationTypes } = await import("@platformatic/kafka");
    const configs = [
      { name: "max.message.bytes", value: "2000", configOperation: IncrementalAlterConfigOperationTypes.SET },
    ];
    await admin(t).incrementalAlterConfigs({ resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: `${prefix}orders`, configs }] }); // prettier-ignore
    await engine.topics.publish(Array.from({ length: 99 }, (_, n) => entry(n + 1)));
    assert.deepEqual(
      await numbers(engine),
      Array.from({ length: 100 }, (_, n) => n),
    );
  });

  it("with a name that Kafka takes for another one is refused with the reason", async (t) => {
    const prefix = prefixFor(t);
    const engine = await open(t, { prefix });
    await engine.topics.declare([{ name: "shop.orders", partitions: 1 }]);
    const refused = await rejection(engine.topics.declare([{ name: "shop_orders", partitions: 1 }]));
    assert.equal(refused.code, "TIDINGS_INVALID_NAME");
    assert.match(refused.message, /collides/);
  });
});
