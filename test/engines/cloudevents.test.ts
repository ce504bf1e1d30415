// The SDK of CloudEvents, with the plain client of each broker, reads what tidings writes, and tidings reads what it writes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Consumer } from "@platformatic/kafka";
import { headers as makeHeaders } from "@nats-io/transport-node";
import { CloudEvent, type Headers, HTTP, Kafka } from "cloudevents";

import { queueOf } from "../../src/engines/rabbitmq/names.ts";
import type { Engine } from "../../src/ports/engine.ts";
import * as kafka from "./kafka/support.ts";
import * as nats from "./nats/support.ts";
import * as rabbitmq from "./rabbitmq/support.ts";
import { entry, record } from "./records.ts";
import * as redis from "./redis/support.ts";

const data = { orderId: "42", total: 99.9, who: "Zoë" };
const ours = entry(1, { record: record(1, { data: JSON.stringify(data), attributes: { subject: "größe 50%" } }) });
const theirs = new CloudEvent({
  id: "sdk-1", source: "/sdk", type: "shop.order.placed", time: "2026-01-02T03:04:05.678Z", subject: "größe 50%",
  partitionkey: "key-1", datacontenttype: "application/json", data,
}); // prettier-ignore

function expectOurs(event: Readonly<Record<string, unknown>>): void {
  const { id, source, type, time, subject, partitionkey } = event;
  assert.deepEqual(
    { id, source, type, time, subject, partitionkey, data: event["data"] },
    {
      id: "id-1", source: "/test", type: "test.happened", time: "2025-06-15T15:06:40.001Z", subject: "größe 50%",
      partitionkey: "key-1", data,
    },
  ); // prettier-ignore
}

async function expectTheirs(engine: Engine): Promise<void> {
  const { records } = await engine.topics.read("orders", 0, 0, { events: 10, bytes: 1 << 20 });
  for (const found of records) {
    const { id, source, type, timeMs, key, attributes } = found;
    assert.deepEqual(
      { id, source, type, timeMs, key, subject: attributes?.["subject"], data: JSON.parse(String(found.data)) as unknown },
      {
        id: "sdk-1", source: "/sdk", type: "shop.order.placed", timeMs: Date.parse("2026-01-02T03:04:05.678Z"), key: "key-1",
        subject: "größe 50%", data,
      },
    ); // prettier-ignore
  }
  assert.equal(records.length, 2);
}

const declared = async (engine: Engine): Promise<Engine> => {
  await engine.topics.declare([{ name: "orders", partitions: 1 }]);
  return engine;
};

/** Attributes that stand under a prefix, as an event that the SDK has checked. */
function unprefixed(headers: Readonly<Record<string, unknown>>, prefix: string, body: string): CloudEvent<unknown> {
  const attributes = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  const named = Object.fromEntries(attributes.map(([name, value]) => [name.slice(prefix.length), value]));
  return new CloudEvent({ ...named, data: JSON.parse(body) as unknown }, true);
}

describe("the SDK of CloudEvents", () => {
  it("reads and writes what stands in Kafka", { skip: kafka.withoutKafka }, async (t) => {
    const prefix = kafka.prefixFor(t);
    const engine = await declared(await kafka.open(t, { prefix }));
    await engine.topics.publish([ours]);
    const consumer = new Consumer({ ...kafka.clientOptions(), groupId: `${prefix}group` });
    const stream = await consumer.consume({ topics: [`${prefix}orders`], mode: "earliest", sessionTimeout: 10_000, heartbeatInterval: 500 }); // prettier-ignore
    for await (const { key, value, headers } of stream) {
      const texts = Object.fromEntries([...headers].map(([name, text]) => [name.toString(), text.toString()]));
      const message = { key: String(key), value: value.toString(), body: value.toString(), headers: texts };
      expectOurs(Kafka.toEvent(message) as CloudEvent<unknown>);
      break;
    }
    await stream.close();
    await consumer.close();
    const other = kafka.prefixFor(t);
    const reader = await declared(await kafka.open(t, { prefix: other }));
    const messages = [Kafka.binary(theirs), Kafka.structured(theirs)].map(({ headers, key, value }) => ({
      topic: `${other}orders`,
      partition: 0,
      key: Buffer.from(String(key)),
      value: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
      headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(String(text))])),
    }));
    await kafka.producer(t).send({ messages, acks: -1 });
    await expectTheirs(reader);
  });

  it("reads and writes what stands in NATS", { skip: nats.withoutNats }, async (t) => {
    const prefix = nats.prefixFor(t);
    const engine = await declared(await nats.open(t, { prefix }));
    const client = await nats.client(t);
    const heard = client.subscribe(`${prefix}.t.orders.0`, { max: 1 });
    // The server must know of it before another connection publishes.
    await client.flush();
    await engine.topics.publish([ours]);
    for await (const message of heard) {
      const headers: Headers = {};
      for (const [name, [value = ""]] of message.headers ?? []) headers[name] = decodeURIComponent(value);
      // It knows no binding for NATS; that for HTTP has the same names.
      expectOurs(HTTP.toEvent({ headers, body: message.string() }) as CloudEvent<unknown>);
    }
    const other = nats.prefixFor(t);
    const reader = await declared(await nats.open(t, { prefix: other }));
    for (const { headers, body } of [HTTP.binary(theirs), HTTP.structured(theirs)]) {
      const h = makeHeaders();
      for (const [name, value] of Object.entries(headers)) h.append(name, encodeURI(String(value)));
      await client.request(`${other}.t.orders.0`, String(body), { headers: h, timeout: 5000 });
    }
    await expectTheirs(reader);
  });

  it("takes for its own what stands in RabbitMQ", { skip: rabbitmq.withoutRabbitmq }, async (t) => {
    const prefix = rabbitmq.prefixFor(t);
    const engine = await declared(await rabbitmq.open(t, { prefix }));
    await engine.topics.publish([ours]);
    const [message] = await rabbitmq.messagesOf(await rabbitmq.channel(t), queueOf(prefix, "orders", 0), 1);
    const { properties, content } = message!;
    expectOurs(unprefixed(properties.headers ?? {}, "cloudEvents:", content.toString()));
  });

  it("reads what stands in Redis", { skip: redis.withoutRedis }, async (t) => {
    const prefix = await redis.prefix(t);
    const engine = await declared(await redis.open(t, { prefix }));
    await engine.topics.publish([ours]);
    const client = await redis.client(t);
    const [found] = (await client.xRange(`{${prefix}}:log:orders:0`, "-", "+")) as {
      message: Record<string, string>;
    }[];
    const { data: body = "", ...headers } = found?.message ?? {};
    // There is no binding for Redis; the fields are the headers of that for Kafka.
    const message = { key: headers["ce_partitionkey"] ?? "", value: body, body, headers };
    expectOurs(Kafka.toEvent(message) as CloudEvent<unknown>);
  });
});
