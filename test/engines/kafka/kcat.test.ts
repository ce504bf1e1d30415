// kcat, the command line client on librdkafka: it knows nothing of us, and Kafka's C, Python, Go and .NET clients are made of the same library.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type CloudEvent, Kafka, type KafkaMessage } from "cloudevents";
import { type App, type Event, service, tidings, topic } from "tidings";
import { z } from "zod";

import { runShop, temporaryFolder } from "../../examples/shop.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { without } from "../../lib/machine.ts";
import { admin, entry, open, ownServer, until, withoutKafka } from "./support.ts";

const skip = withoutKafka || without("kcat");

/**
 * A broker that knows a user of kcat by PLAIN: librdkafka before 2.6.1, which Debian has, repeats its nonce in SCRAM, and Kafka from
 * 3.8.1 on refuses that.
 */
const withPlain = [
  "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN",
  'listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_kcat="x";',
];

/** Runs kcat with these arguments and standard input, and answers what it printed. */
async function kcat(t: TestContext, port: number, args: readonly string[], input: string | Uint8Array = "") {
  const settings = { "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "kcat", "sasl.password": "x" }; // prettier-ignore
  const options = Object.entries(settings).flatMap(([name, value]) => ["-X", `${name}=${value}`]);
  // Nobody's own settings in the home.
  const env = { ...process.env, HOME: "/nonexistent", KCAT_CONFIG: "" };
  const child = spawn("kcat", ["-b", `127.0.0.1:${port}`, ...options, ...args], { env, signal: t.signal });
  let [printed, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.end(input);
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  assert.equal(status, 0, said);
  return printed;
}

interface Message {
  readonly partition: number;
  readonly key: string;
  readonly payload: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** All messages of a topic. */
async function consume(t: TestContext, port: number, name: string): Promise<readonly Message[]> {
  const printed = await kcat(t, port, ["-C", "-t", name, "-o", "beginning", "-e", "-q", "-J"]);
  const lines = printed.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    // It prints headers as a list, since a name may come more than once.
    const { headers: list = [], ...message } = JSON.parse(line) as Omit<Message, "headers"> & { headers?: string[] };
    const headers: Record<string, string> = {};
    for (let at = 0; at < list.length; at += 2) headers[list[at]!] = list[at + 1]!;
    assert.equal(2 * Object.keys(headers).length, list.length, "a header stands twice");
    return { ...message, headers };
  });
}

/** What kcat writes as one message. */
interface Written {
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly value: string | Uint8Array;
}

async function produce(t: TestContext, port: number, name: string, { key, headers = {}, value }: Written) {
  const named = Object.entries(headers).flatMap(([header, text]) => ["-H", `${header}=${text}`]);
  await kcat(t, port, ["-P", "-t", name, "-p", "0", ...(key === undefined ? [] : ["-k", key]), ...named], value);
}

/** The attributes of a CloudEvent and its data, where they are of the shop, after the SDK of CloudEvents has checked them. */
function checkedEvent({ key, payload, headers }: Message) {
  const message: KafkaMessage<string> = { key, value: payload, body: payload, headers };
  const event = Kafka.toEvent(message) as CloudEvent<{ orderId?: string }>;
  assert.equal(event.validate(), true);
  for (const name of ["id", "source", "type", "time", "partitionkey"])
    assert.equal(event[name], headers[`ce_${name}`], name);
  assert.deepEqual([event["partitionkey"], event.datacontenttype], [key, "application/json"]);
  assert.deepEqual(event.data, JSON.parse(payload));
  return event;
}

describe("kcat beside tidings", { skip }, () => {
  it("reads all events of the shop with their keys and headers, as CloudEvents in binary mode", async (t) => {
    const { url, port } = await ownServer(t, () => withPlain);
    const folder = temporaryFolder(t);
    const store = { TIDINGS_STORE: `sqlite:${join(folder, "store.db")}` };
    const summary = await runShop(t, folder, ["--orders", "50", "--url", `${url}?prefix=shop.&durability=weak`], store);
    const ids = new Set<string>();
    const types = new Set<string>();
    for (const topicName of ["orders", "payments", "stock", "shipments", "messages", "feed"]) {
      for (const message of await consume(t, port, `shop.${topicName}`)) {
        const { id, source, type, data } = checkedEvent(message);
        if (topicName !== "feed") assert.equal(data?.orderId, message.key);
        ids.add(`${source} ${id}`);
        types.add(type);
      }
    }
    assert.equal(ids.size, summary["published"]);
    for (const type of ["placed", "paid", "delivered"]) assert.ok(types.has(`shop.order.${type}`), type);
    const line = await kcat(t, port, ["-C", "-t", "shop.feed", "-o", "beginning", "-c", "1", "-q", "-f", "%k|%h|%s"]);
    assert.match(line, /^[^|]+\|ce_specversion=1\.0,ce_id=[^|]+,ce_type=shop\.feed\.advanced,[^|]+\|\{"feed":[^|]+\}$/);
  });

  it("reads what is compressed in any way, and the brokers keep it so", async (t) => {
    const { url, port } = await ownServer(t, () => withPlain);
    const bytes = new Map<string, number>();
    const client = admin(t, url);
    for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
      const engine = await open(t, { url, prefix: `${compression}.`, compression });
      await engine.topics.declare([{ name: "orders", partitions: 1 }]);
      await engine.topics.publish(Array.from({ length: 500 }, (_, n) => entry(n)));
      const name = `${compression}.orders`;
      assert.deepEqual(
        (await consume(t, port, name)).map(({ payload }) => (JSON.parse(payload) as { n: number }).n),
        Array.from({ length: 500 }, (_, n) => n),
      );
      assert.deepEqual((await engine.verify()).problems, []);
      const logs = await client.describeLogDirs({ topics: [{ name, partitions: [0] }] });
      bytes.set(compression, Number(logs[0]?.results[0]?.topics[0]?.partitions[0]?.partitionSize));
    }
    const plain = bytes.get("none")!;
    for (const [name, size] of bytes) if (name !== "none") assert.ok(size < plain / 3, `${name}: ${size} of ${plain}`);
  });

  it("writes what a service handles: events of its types, and JSON that is none; text and bytes become dead letters", async (t) => {
    const { url, port } = await ownServer(t, () => withPlain);
    const orders = topic("orders", { key: ({ orderId }: { orderId: string }) => orderId, partitions: 1 });
    const Placed = orders.event("shop.order.placed", { data: z.object({ orderId: z.string(), who: z.string() }) });
    const Foreign = orders.event("tidings.foreign", { data: z.any() });
    const seen: Partial<Event>[] = [];
    const note = ({ id, source, type, time, partitionkey, subject, datacontenttype, data }: Event) =>
      void seen.push({ id, source, type, time, partitionkey, subject, datacontenttype, data });
    const app = tidings({
      name: "shop",
      url: `${url}?prefix=shop.&durability=weak`,
      store: `sqlite:${join(temporaryFolder(t), "store.db")}`,
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      services: [service("reader", { from: "start" }).on(Placed, note).on(Foreign, note)],
    });
    await app.start();
    afterwards(t, () => app.stop());

    const attributes = { id: "7", source: "/erp", type: "shop.order.placed", time: "2026-01-01T00:00:00.000Z", subject: "größe 50%" }; // prettier-ignore
    const data = { orderId: "42", who: "Zoë" };
    const ce = Object.fromEntries(Object.entries({ specversion: "1.0", ...attributes }).map(([name, value]) => [`ce_${name}`, value])); // prettier-ignore
    const structured = { specversion: "1.0", ...attributes, id: "8", partitionkey: "42", data };
    const written: readonly Written[] = [
      { key: "42", headers: { ...ce, "content-type": "application/json" }, value: JSON.stringify(data) },
      { key: "42", headers: { "content-type": "application/cloudevents+json; charset=UTF-8" }, value: JSON.stringify(structured) }, // prettier-ignore
      { key: "k", value: '{"a":1}' },
      { value: "hello" },
      { value: Uint8Array.of(0xff, 0x00, 0x01) },
    ];
    for (const message of written) await produce(t, port, "shop.orders", message);

    await until("all are handled or given up", async () => (await lettersOf(app)).length + seen.length === written.length); // prettier-ignore
    const placed = { ...attributes, partitionkey: "42", datacontenttype: "application/json", data };
    const foreign = { source: `kafka://127.0.0.1:${port}/orders`, type: "tidings.foreign" };
    const { time } = seen[2]!;
    assert.deepEqual(seen, [
      placed,
      { ...placed, id: "8" },
      { ...foreign, id: "0-2", time, partitionkey: "k", subject: undefined, datacontenttype: "application/json", data: { a: 1 } },
    ]); // prettier-ignore
    // Handlers take JSON. What is none is kept as it came, for whoever looks.
    assert.deepEqual(await lettersOf(app), [
      { ...foreign, id: "0-3", code: "TIDINGS_DECODE_FAILED", data: "hello" },
      { ...foreign, id: "0-4", code: "TIDINGS_DECODE_FAILED", data: Buffer.of(0xff, 0x00, 0x01) },
    ]);
  });
});

/** What lies as dead letters, in the order of ids. */
async function lettersOf(app: App): Promise<readonly object[]> {
  const ids = (await app.admin.deadLetters.list({})).map(({ id }) => id);
  const shown = await Promise.all(ids.map((id) => app.admin.deadLetters.show(id)));
  const letters = shown.map(({ letter: { record, failure } }) => {
    const { id, source, type, data, dataBase64 } = record;
    return { id, source, type, code: failure.code, data: data ?? Buffer.from(dataBase64 ?? "", "base64") };
  });
  return letters.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
