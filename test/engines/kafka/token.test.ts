import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";

import { kafka, kafkaFromUrl, type KafkaOptions } from "../../../src/engines/kafka/index.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { without } from "../../lib/machine.ts";
import { certificates, entry, numbers, open, ownServer, platform, rejection, until, withoutKafka } from "./support.ts";

/** What Kafka takes from everybody where nothing says who signs: for tests. */
function tokenFor(sub: string, livesMs = 3_600_000): string {
  const nowS = Date.now() / 1000;
  const parts = [{ alg: "none" }, { sub, iat: nowS - 1, exp: nowS + livesMs / 1000 }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;
}

/** A broker that takes tokens, and passwords by another address; and for how long it takes anybody for who he is. */
async function tokenServer(
  t: TestContext,
  sessionMs = 0,
  tls?: readonly string[],
): Promise<{ url: string; scramUrl: string }> {
  const module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
  const { port, url } = await ownServer(t, (at) => [
    "listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT,TOKENS:" +
      (tls ? "SASL_SSL" : "SASL_PLAINTEXT"),
    ...(tls ?? []),
    `listeners=CLIENT://127.0.0.1:${at},CONTROLLER://127.0.0.1:${at + 1},TOKENS://127.0.0.1:${at + 2}`,
    `advertised.listeners=CLIENT://127.0.0.1:${at},TOKENS://localhost:${at + 2}`,
    "listener.name.tokens.sasl.enabled.mechanisms=OAUTHBEARER",
    `listener.name.tokens.oauthbearer.sasl.jaas.config=${module} unsecuredLoginStringClaim_sub="broker";`,
    `listener.name.tokens.oauthbearer.connections.max.reauth.ms=${sessionMs}`,
    `listener.name.client.scram-sha-512.connections.max.reauth.ms=${sessionMs}`,
  ]);
  return { url: `kafka${tls ? "s" : ""}://localhost:${port + 2}`, scramUrl: url };
}

const refusal = (options: KafkaOptions): Promise<Error & { code?: string }> =>
  rejection(kafka({ durability: "weak", busyTimeoutMs: 300, ...options }).open({ platform }));

function fileFor(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tidings-kafka-token-"));
  afterwards(t, () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "token");
  writeFileSync(file, text);
  return file;
}

/** Publishes and reads at once for so long, and tells of what went wrong meanwhile. */
async function inUse(
  engine: Engine,
  ms: number,
  topic = "orders",
): Promise<{ published: number; read: number; troubles: string[] }> {
  await engine.topics.declare([{ name: topic, partitions: 1 }]);
  const troubles = new Set<string>();
  const endMs = performance.now() + ms;
  let [published, read] = [0, 0];
  const publishing = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await Promise.all(Array.from({ length: 20 }, () => engine.topics.publish([entry(published++, { topic })])));
      troubles.add(engine.trouble() ?? "");
    }
  };
  const reading = async (): Promise<void> => {
    while (read < published || performance.now() < endMs) {
      const page = await engine.topics.read(topic, 0, read, { events: 500, bytes: 1 << 20 });
      read = page.next;
      if (page.records.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const stop = engine.topics.watch(topic, () => undefined);
  await Promise.all([publishing(), reading()]);
  stop();
  troubles.delete("");
  return { published, read, troubles: [...troubles] };
}

describe("a token for Kafka", { skip: withoutKafka }, () => {
  it("opens the way, from a function or from a file that the address names, with what is said beside it", async (t) => {
    const { url } = await tokenServer(t);
    const engine = await open(t, { url, token: () => tokenFor("app"), saslExtensions: { logicalCluster: "lkc-1" } });
    await engine.topics.declare([{ name: "orders", partitions: 1 }]);
    await engine.topics.publish([entry(0)]);
    const file = fileFor(t, `${tokenFor("app")}\n`);
    const address = `${url}?durability=weak&tokenFile=${encodeURIComponent(file)}&saslExtensions=logicalCluster%3Dlkc-1`;
    const other = await kafkaFromUrl(address).open({ platform });
    afterwards(t, () => other.close());
    assert.deepEqual(await numbers(other), [0]);
  });

  it("goes by TLS", { skip: without("openssl") }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tidings-kafka-tls-"));
    afterwards(t, () => rmSync(folder, { recursive: true, force: true }));
    const { url } = await tokenServer(t, 4000, certificates(folder));
    const engine = await open(t, { url, token: () => tokenFor("app"), caFile: join(folder, "server.pem") });
    const { published, read, troubles } = await inUse(engine, 5000);
    assert.deepEqual([read, troubles], [published, []]);
  });

  it("that brokers refuse, or that nobody gives, is told of in one sentence without it", async (t) => {
    const { url } = await tokenServer(t);
    const ended = tokenFor("app", -60_000);
    const refused = await refusal({ url, token: () => ended });
    assert.equal(refused.code, "TIDINGS_ACCESS_DENIED");
    assert.match(refused.message, /refuse the token \(.*invalid_token.*\)/);
    const empty = fileFor(t, "\n");
    const given: [Pick<KafkaOptions, "token" | "tokenFile">, RegExp][] = [
      [{ token: () => Promise.reject(new Error(`cannot renew ${ended}`)) }, /function of the option "token" threw: cannot renew \*\*\*\./], // prettier-ignore
      [{ token: () => undefined as never }, /function of the option "token" gave none/],
      [{ token: () => `${ended}\u0001auth=x` }, /gave cannot be one/],
      [{ token: () => new Promise(() => undefined) }, /gave none within 200 ms/],
      [{ tokenFile: empty }, /the file .*token gave none/],
      [{ tokenFile: `${empty}.gone` }, /the file .* cannot be read \(ENOENT\)/],
    ];
    for (const [options, sentence] of given) {
      const missing = await refusal({ url, connectTimeoutMs: 200, ...options });
      assert.equal(missing.code, "TIDINGS_CREDENTIALS_UNAVAILABLE", missing.message);
      assert.match(missing.message, sentence);
      assert.doesNotMatch(inspect(missing, { depth: 9 }), /eyJ/);
    }
    assert.doesNotMatch(inspect(refused, { depth: 9 }), /eyJ/);
    const scram = await refusal({ url: url.replace("//", "//user:word@") });
    assert.equal(scram.code, "TIDINGS_ACCESS_DENIED");
  });

  it("that ends while connections live is followed by the next one, and nothing is interrupted", async (t) => {
    const { url } = await tokenServer(t, 60_000);
    let asked = 0;
    const token = async (): Promise<string> => {
      asked++;
      return tokenFor("app", 5000);
    };
    const tokenFile = fileFor(t, tokenFor("app", 5000));
    const change = (): void => {
      writeFileSync(`${tokenFile}.next`, tokenFor("app", 5000));
      renameSync(`${tokenFile}.next`, tokenFile);
    };
    const changing = setInterval(change, 500);
    afterwards(t, async () => clearInterval(changing));
    const engines = [await open(t, { url, token, pingIntervalMs: 500 }), await open(t, { url, tokenFile })];
    const topics = ["orders", "others"];
    const uses = await Promise.all(engines.map((engine, n) => inUse(engine, 12_000, topics[n])));
    for (const [n, { published, read, troubles }] of uses.entries()) {
      assert.deepEqual(troubles, []);
      assert.equal(read, published);
      assert.deepEqual(await numbers(engines[n] as Engine, 0, topics[n]), [...Array(published).keys()]);
    }
    // Three lives of a token at least, for each of five connections; those that begin at once share one.
    assert.ok(asked >= 8, `${asked} tokens`);
  });

  it("that is not to be had for a while is waited for as long as the last one is good, and then told of", async (t) => {
    const { url } = await tokenServer(t, 60_000);
    let away = false;
    const lifeMs = 6000;
    const token = (): string => {
      if (away) throw new Error("the office is closed");
      return tokenFor("app", lifeMs);
    };
    const engine = await open(t, { url, token, pingIntervalMs: 300, busyTimeoutMs: 500 });
    await inUse(engine, 200);
    // What is made from here on would be good for longer.
    const goodUntilMs = performance.now() + lifeMs / 2;
    away = true;
    let n = 0;
    while (performance.now() < goodUntilMs) {
      await engine.topics.publish([entry(n++)]);
      assert.equal(engine.trouble(), undefined);
    }
    await until("health says why", () => /the office is closed/.test(engine.trouble() ?? ""));
    assert.match((await rejection(engine.topics.publish([entry(n++)]))).message, /the office is closed/);
    away = false;
    await until("the way is there again", () => engine.trouble() === undefined);
    await engine.topics.publish([entry(n)]);
  });
});

describe("a session with Kafka", { skip: withoutKafka }, () => {
  it("that brokers end, of a user with a password as well, is followed by the next one without an interruption", async (t) => {
    const { scramUrl } = await tokenServer(t, 4000);
    const engine = await open(t, { url: scramUrl, pingIntervalMs: 500 });
    const used = await inUse(engine, 9000);
    assert.deepEqual(used.troubles, []);
    assert.equal(used.read, used.published);
    assert.deepEqual(await numbers(engine), [...Array(used.published).keys()]);
  });
});
