import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { nats } from "../../../src/engines/nats/index.ts";
import { without } from "../../lib/machine.ts";
import {
  client,
  entry,
  jetStream,
  numbers,
  open,
  ownServer,
  platform,
  prefixFor,
  rejection,
  withoutNats,
} from "./support.ts";

const opening = (options: Partial<Parameters<typeof nats>[0]> & { url: string }) =>
  rejection(nats({ durability: "weak", ...options }).open({ platform }));

describe("opening NATS", { skip: withoutNats }, () => {
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

  it("is refused unless its durability can be held, with the reason and the way out", async (t) => {
    const { info } = await client(t);
    const [, minor = 0] = (info?.version ?? "").split(".").map(Number);
    const replicated = await rejection(nats({ url: serviceUrl("nats"), prefix: prefixFor(t) }).open({ platform }));
    assert.equal(replicated.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(replicated.message, /has not synced yet.*durability "weak"/);
    if (minor >= 10) return;
    const disk = await opening({ url: serviceUrl("nats"), durability: "disk", prefix: prefixFor(t) });
    assert.equal(disk.code, "TIDINGS_SERVER_TOO_OLD");
    assert.match(disk.message, /2\.10 or newer.*no setting syncs each write/);
  });

  it("of a cluster is refused with durability replicated before its replicas keep together", async (t) => {
    const cluster = (folder: string): string =>
      `${jetStream(folder)}\nserver_name: one\ncluster { name: c, listen: "127.0.0.1:-1", routes: ["nats://127.0.0.1:1"] }`;
    const { url } = await ownServer(t, cluster);
    const { info } = await client(t, url);
    const [, minor = 0] = (info?.version ?? "").split(".").map(Number);
    if (minor >= 11) return t.skip(`NATS ${info?.version} is new enough`);
    const refused = await rejection(nats({ url }).open({ platform }));
    assert.equal(refused.code, "TIDINGS_SERVER_TOO_OLD");
    assert.match(refused.message, /2\.11 or newer.*durability "weak"/);
  });

  it("says what an acknowledgement means with the durability that was stated", async (t) => {
    const engine = await open(t, { prefix: prefixFor(t) });
    assert.equal(engine.capabilities.durability, "confirmed");
  });

  it("is refused where there are too few servers for the replicas", async (t) => {
    const refused = await opening({ url: serviceUrl("nats"), replicas: 3, prefix: prefixFor(t) });
    assert.equal(refused.code, "TIDINGS_SERVER_UNSAFE");
    assert.match(refused.message, /no 3 servers/);
  });

  it("with a wrong password is refused at once, and says no secret", async () => {
    const url = new URL(serviceUrl("nats"));
    url.password = "not-the-password";
    const refused = await opening({ url: url.href.replace(/\/$/, "") });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.doesNotMatch(refused.message, /not-the-password/);
  });

  it("where nobody listens is refused after its time", async () => {
    assert.equal((await opening({ url: "nats://127.0.0.1:1", busyTimeoutMs: 200 })).code, "TIDINGS_UNREACHABLE");
  });

  it("of a server without JetStream is refused with the setting that is missing", async (t) => {
    const { url } = await ownServer(t, () => "");
    const refused = await opening({ url });
    assert.equal(refused.code, "TIDINGS_UNSUPPORTED");
    assert.match(refused.message, /jetstream \{\}/);
  });

  it("by a user who may not do everything is refused with the subject that is missing", async (t) => {
    const permissions = (publish: string): string =>
      `authorization { users: [
        { user: none, password: x, permissions: { publish: "orders", subscribe: ">" } },
        { user: some, password: x, permissions: { publish: [${publish}], subscribe: ["_INBOX.>", "tidings.news.>"] } }
      ] }`;
    const { port } = await ownServer(
      t,
      (folder) => `${jetStream(folder)}\n${permissions('"$JS.API.>", "tidings.topics", "tidings.news.>"')}`,
    );
    const refused = await opening({ url: `nats://none:x@127.0.0.1:${port}` });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.match(refused.message, /\$JS\.API\.INFO/);
    const engine = await open(t, { url: `nats://some:x@127.0.0.1:${port}` });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    const denied = await rejection(engine.topics.publish([entry(0)]));
    assert.equal(denied.code, "TIDINGS_ACCESS_DENIED");
    assert.match(denied.message, /tidings\.t\.orders\.0/);
  });

  it("by a user with the permissions of the docs is enough for everything", async (t) => {
    const permissions = `authorization { users: [{ user: app, password: x, permissions: {
      publish: ["$JS.API.>", "tidings.>"], subscribe: ["_INBOX.>", "tidings.news.>"] } }] }`;
    const { port } = await ownServer(t, (folder) => `${jetStream(folder)}\n${permissions}`);
    const engine = await open(t, { url: `nats://app:x@127.0.0.1:${port}` });
    await engine.topics.declare([{ name: "orders", partitions: 2 }]);
    engine.topics.watch("orders", () => undefined);
    await engine.topics.publish([entry(0), entry(1)]);
    assert.deepEqual(await numbers(engine), [0, 1]);
    assert.equal((await engine.topics.positionsAt("orders", 0))[0], 0);
    assert.equal(await engine.topics.retain("orders", { partitionBytesMax: 0 }), 2);
    assert.deepEqual((await engine.verify()).problems, []);
  });

  it("by TLS checks who the server is", { skip: without("openssl") }, async (t) => {
    const server = await ownServer(t, (folder) => {
      certificates(folder);
      return `${jetStream(folder)}\ntls { cert_file: "${folder}/server.pem", key_file: "${folder}/server.key" }`;
    });
    const caFile = join(server.folder, "server.pem");
    const at = (host: string): string => `tls://${host}:${server.port}`;
    const engine = await open(t, { url: at("localhost"), caFile });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    for (const wrong of [{ url: at("127.0.0.1"), caFile }, { url: at("localhost") }]) {
      const refused = await opening(wrong);
      assert.equal(refused.code, "TIDINGS_ACCESS_DENIED", refused.message);
      assert.match(refused.message, /caFile/);
    }
    const plain = await ownServer(t);
    assert.match((await opening({ url: `tls://127.0.0.1:${plain.port}` })).message, /does not support 'tls'/);
  });

  it("for reading only makes nothing, reads, and writes nothing", async (t) => {
    const prefix = prefixFor(t);
    assert.equal((await opening({ url: serviceUrl("nats"), prefix, readOnly: true })).code, "TIDINGS_NOT_FOUND");
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

describe("a declared topic", { skip: withoutNats }, () => {
  it("whose stream is gone is told of, and not made anew at position 0", async (t) => {
    const prefix = prefixFor(t);
    const first = await open(t, { prefix });
    await first.topics.declare([{ name: "orders", partitions: 1 }]);
    await first.topics.publish([entry(0)]);
    const nc = await client(t);
    await nc.request(`$JS.API.STREAM.DELETE.${prefix}~orders~0`);
    const second = await open(t, { prefix });
    const calls = [
      second.topics.publish([entry(1)]),
      second.topics.declare([{ name: "orders", partitions: 1 }]),
      first.topics.bounds("orders"),
    ];
    for (const { code } of await Promise.all(calls.map(rejection))) assert.equal(code, "TIDINGS_STORE_REPLACED");
  });

  it("in a stream that an operator keeps in memory is refused where that is not stated", async (t) => {
    const { url } = await ownServer(t);
    const nc = await client(t, url);
    const stream = { name: "tidings~orders~0", subjects: ["tidings.t.orders.0"], storage: "memory" };
    await nc.request(`$JS.API.STREAM.CREATE.${stream.name}`, JSON.stringify(stream));
    const engine = await open(t, { url });
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
    const nc = await client(t);
    const declared = JSON.stringify({ declared: [{ name: "orders", partitions: 2 }] });
    await nc.request(`${prefix}.topics`, declared);
    await first.topics.publish([entry(0)]);
    assert.deepEqual(await numbers(first), [0]);
  });
});

function certificates(folder: string): void {
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", join(folder, "server.key"), "-out", join(folder, "server.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", ...subject, ...files], { stdio: "ignore" }); // prettier-ignore
}
