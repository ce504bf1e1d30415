import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";

import { tidings, topic } from "tidings";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { rabbitmq } from "../../../src/engines/rabbitmq/index.ts";
import { without } from "../../lib/machine.ts";
import {
  channel,
  entry,
  numbers,
  open,
  ownServer,
  platform,
  prefixFor,
  rejection,
  withoutRabbitmq,
} from "./support.ts";

const opening = (options: Partial<Parameters<typeof rabbitmq>[0]> & { url: string }) =>
  rejection(rabbitmq({ durability: "weak", ...options }).open({ platform }));

describe("opening RabbitMQ", { skip: withoutRabbitmq }, () => {
  it("makes the registry once, however many members do so at once", async (t) => {
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

  it("is refused unless its durability is stated, with the reason and the way out", async () => {
    const refused = await rejection(rabbitmq({ url: serviceUrl("rabbitmq") }).open({ platform }));
    assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(refused.message, /has not synced yet.*"replicated".*"weak"/);
  });

  it("says what an acknowledgement means with the durability that was stated", async (t) => {
    const prefix = prefixFor(t);
    assert.equal((await open(t, { prefix })).capabilities.durability, "confirmed");
    assert.equal((await open(t, { prefix, durability: "replicated" })).capabilities.durability, "replicated");
  });

  it("with a wrong password or of a vhost that is not there is refused at once, and says no secret", async () => {
    const url = serviceUrl("rabbitmq");
    for (const [wrong, says] of [
      [url.replace(/:[^:@]*@/, ":not-the-password@"), /ACCESS_REFUSED|ACCESS-REFUSED/],
      [`${url}/nowhere`, /no vhost of that name/],
    ] as const) {
      const refused = await opening({ url: wrong });
      assert.equal(refused.code, "TIDINGS_ACCESS_DENIED", refused.message);
      assert.match(refused.message, says);
      assert.doesNotMatch(refused.message, /not-the-password/);
    }
  });

  it("where nobody listens is refused after its time", async () => {
    assert.equal((await opening({ url: "amqp://127.0.0.1:1", busyTimeoutMs: 200 })).code, "TIDINGS_UNREACHABLE");
  });

  it("for reading only makes nothing, reads, and writes nothing", async (t) => {
    const prefix = prefixFor(t);
    const early = await opening({ url: serviceUrl("rabbitmq"), prefix, readOnly: true });
    assert.equal(early.code, "TIDINGS_NOT_FOUND");
    const writer = await open(t, { prefix });
    await writer.topics.declare([{ name: "orders", partitions: 1 }]);
    await writer.topics.publish([entry(0)]);
    const reader = await open(t, { prefix, readOnly: true });
    assert.deepEqual(await numbers(reader), [0]);
    for (const call of [
      () => reader.topics.publish([entry(1)]),
      () => reader.topics.declare([{ name: "more", partitions: 1 }]),
      () => reader.topics.retain("orders", { partitionBytesMax: 0 }),
    ])
      assert.equal((await rejection(call())).code, "TIDINGS_READ_ONLY");
  });
});

describe("opening a RabbitMQ of its own", { skip: withoutRabbitmq, concurrency: 1 }, () => {
  it("by a user who may not do everything is refused with what is missing, and by one with the permissions of the docs does all", async (t) => {
    const server = await ownServer(t);
    for (const [user, ...permissions] of [
      ["none", "^$", "^$", "^$"],
      ["some", "^tidings:", "^tidings:", "^tidings:"],
      ["app", "^tidings:", "^(tidings:.*|amq\\.default)$", "^tidings:"],
    ] as const) {
      server.ctl("add_user", user, "x");
      server.ctl("set_permissions", user, ...permissions);
    }
    const as = (user: string): string => `amqp://${user}:x@127.0.0.1:${server.port}`;
    const refused = await opening({ url: as("none") });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.match(refused.message, /access to queue 'tidings:writer:.*refused for user 'none'/);
    const some = await open(t, { url: as("some") });
    const denied = await rejection(some.topics.declare([{ name: "orders", partitions: 1 }]));
    assert.match(denied.message, /access to exchange 'amq.default'.*refused for user 'some'/);
    const app = await open(t, { url: as("app") });
    await app.topics.declare([{ name: "orders", partitions: 2 }]);
    app.topics.watch("orders", () => undefined);
    await app.topics.publish([entry(0), entry(1)]);
    assert.deepEqual(await numbers(app), [0, 1]);
    assert.equal((await app.topics.positionsAt("orders", 0))[0], 0);
    assert.deepEqual((await app.verify()).problems, []);
  });

  it("without streams is refused with the setting that is missing", async (t) => {
    const refusedBy = { RABBITMQ_FEATURE_FLAGS: "quorum_queue" };
    const server = await ownServer(t, { environment: refusedBy, streams: false });
    const refused = await opening({ url: server.url });
    assert.equal(refused.code, "TIDINGS_UNSUPPORTED", refused.message);
    assert.match(refused.message, /stream_queue/);
  });

  it("by TLS checks who the server is", { skip: without("openssl") }, async (t) => {
    const server = await ownServer(t, {
      config: (folder, tlsPort) => {
        certificates(folder);
        return `listeners.ssl.1 = 127.0.0.1:${tlsPort}\nssl_options.cacertfile = ${folder}/server.pem\nssl_options.certfile = ${folder}/server.pem\nssl_options.keyfile = ${folder}/server.key\n`;
      },
    });
    const caFile = join(server.folder, "server.pem");
    const at = (host: string): string =>
      server.url.replace("amqp:", "amqps:").replace(/@.*/, `@${host}:${server.tlsPort}`);
    const engine = await open(t, { url: at("localhost"), caFile });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    for (const wrong of [{ url: at("127.0.0.1"), caFile }, { url: at("localhost") }]) {
      const refused = await opening(wrong);
      assert.equal(refused.code, "TIDINGS_ACCESS_DENIED", refused.message);
      assert.match(refused.message, /caFile/);
    }
  });
});

describe("a declared topic on RabbitMQ", { skip: withoutRabbitmq }, () => {
  it("whose stream is gone is told of, and not made anew at position 0", async (t) => {
    const prefix = prefixFor(t);
    const first = await open(t, { prefix });
    await first.topics.declare([{ name: "orders", partitions: 1 }]);
    await first.topics.publish([entry(0)]);
    const on = await channel(t);
    await on.deleteQueue(`${prefix}:orders:0`);
    const second = await open(t, { prefix });
    const calls = [
      second.topics.publish([entry(1)]),
      second.topics.declare([{ name: "orders", partitions: 1 }]),
      first.topics.publish([entry(1)]),
      first.topics.read("orders", 0, 0, { events: 1, bytes: 1 }),
      first.topics.bounds("orders"),
    ];
    for (const { code, message } of await Promise.all(calls.map(rejection)))
      assert.equal(code, "TIDINGS_STORE_REPLACED", message);
  });

  it("of which a queue has our name and is no stream is refused", async (t) => {
    const prefix = prefixFor(t);
    const on = await channel(t);
    await on.assertQueue(`${prefix}:orders:0`, { durable: true });
    const engine = await open(t, { prefix });
    const refused = await rejection(engine.topics.declare([{ name: "orders", partitions: 1 }]));
    assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(refused.message, /"[^"]*:orders:0" at .* is no stream/);
  });

  it("whose streams an operator made with other settings is taken", async (t) => {
    const prefix = prefixFor(t);
    const on = await channel(t);
    const options = { "x-queue-type": "stream", "x-max-age": "7D" };
    await on.assertQueue(`${prefix}:orders:0`, { durable: true, arguments: options });
    const engine = await open(t, { prefix });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    assert.deepEqual(await numbers(engine), [0]);
  });

  it("of another number of partitions is refused also when two declare at once, whole", async (t) => {
    const prefix = prefixFor(t);
    const [left, right] = [await open(t, { prefix }), await open(t, { prefix })];
    for (let round = 0; round < 10; round++) {
      const shared = `shared-${round}`;
      const results = await Promise.allSettled([
        left.topics.declare([
          { name: `left-${round}`, partitions: 1 },
          { name: shared, partitions: 1 },
        ]),
        right.topics.declare([
          { name: `right-${round}`, partitions: 1 },
          { name: shared, partitions: 2 },
        ]),
      ]);
      const won = results.findIndex(({ status }) => status === "fulfilled");
      const lost = results[1 - won] as PromiseRejectedResult;
      assert.equal((lost.reason as { code?: string }).code, "TIDINGS_PARTITIONS_CHANGED");
      const there = (await left.topics.list()).filter(({ name }) => name.endsWith(`-${round}`)).map(({ name }) => name);
      assert.deepEqual(there, [won === 0 ? `left-${round}` : `right-${round}`, shared].toSorted());
    }
  });

  it("whose declaration was cut off has its streams made by whoever uses it next", async (t) => {
    const prefix = prefixFor(t);
    const first = await open(t, { prefix });
    const on = await channel(t);
    on.sendToQueue(`${prefix}:topics`, Buffer.from(JSON.stringify({ declared: [{ name: "orders", partitions: 2 }] })));
    await (on as unknown as { waitForConfirms(): Promise<void> }).waitForConfirms();
    await first.topics.publish([entry(0)]);
    assert.deepEqual(await numbers(first), [0]);
  });

  it("takes no event that is larger than eventBytesMax, and one that the server refuses stops no other", async (t) => {
    const server = await ownServer(t, { config: () => "max_message_size = 100000\n" });
    const engine = await open(t, { url: server.url });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const large = entry(1, { record: { ...entry(1).record, data: JSON.stringify("x".repeat(200_000)) } });
    const calls = [
      engine.topics.publish([entry(0)]),
      rejection(engine.topics.publish([large])),
      engine.topics.publish([entry(2)]),
    ];
    const [, refused] = await Promise.all(calls);
    assert.equal((refused as { code?: string }).code, "TIDINGS_EVENT_TOO_LARGE");
    assert.deepEqual(await numbers(engine), [0, 2]);
  });
});

describe("an application on RabbitMQ", { skip: withoutRabbitmq }, () => {
  it("whose topic has a retention is refused at start, since nobody would apply it", async (t) => {
    const prefix = prefixFor(t);
    const orders = topic("orders", { retention: { maxAgeMs: 60_000 } });
    const url = `${serviceUrl("rabbitmq")}?prefix=${prefix}&durability=weak`;
    const refused = await rejection(tidings({ name: "shop", url, topics: [orders] }).start());
    assert.equal(refused.code, "TIDINGS_UNSUPPORTED", refused.message);
    assert.match(refused.message, /"orders" has a retention.*"rabbitmq"/);
    const engine = await open(t, { prefix });
    assert.deepEqual(await engine.topics.list(), []);
  });
});

function certificates(folder: string): void {
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", join(folder, "server.key"), "-out", join(folder, "server.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", ...subject, ...files], { stdio: "ignore" }); // prettier-ignore
}
