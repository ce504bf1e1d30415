import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { kafka, kafkaFromUrl, parseKafkaUrl } from "../../../src/engines/kafka/index.ts";
import { sequenceAfter } from "../../../src/engines/kafka/lane.ts";
import { settingsOf } from "../../../src/engines/kafka/options.ts";

const url = "kafka://user:secret@localhost:9092";

describe("options of kafka()", () => {
  it("that do not exist are refused with the one that was meant, in the address as well", () => {
    const refused = { code: "TIDINGS_INVALID_OPTION" } as const;
    assert.throws(() => kafka({ url, replica: 3 } as never), { ...refused, message: /replicas/ });
    assert.throws(() => kafkaFromUrl(`${url}?prefx=x`), { ...refused, message: /prefix/ });
  });

  it("of the wrong kind are refused", () => {
    for (const wrong of [
      { prefix: "a/b" },
      { durability: "strong" },
      { replicas: 1 },
      { durability: "weak", replicas: 1.5 },
      { readOnly: 1 },
      { createTopics: "no" },
      { pingIntervalMs: 0 },
      { caFile: 1 },
      { caFile: "ca.pem" },
      { saslMechanism: "GSSAPI" },
      { compression: "brotli" },
      { url: "kafka://a,b", tunnel: true },
    ])
      assert.throws(() => kafka({ url, ...wrong } as never), { code: "TIDINGS_INVALID_OPTION" }, JSON.stringify(wrong));
  });

  it("that do not go with a token are refused", () => {
    const [open, token] = ["kafka://localhost:9092", (): string => "abc"];
    for (const wrong of [
      { url: open, saslMechanism: "OAUTHBEARER" },
      { url: open, token: "abc" },
      { url: open, token, tokenFile: "token" },
      { url: open, token, saslMechanism: "PLAIN" },
      { url, token },
      { url: open, saslExtensions: { a: "b" } },
      { url: open, token, saslExtensions: { auth: "b" } },
      { url: open, token, saslExtensions: { a: "b\u0001auth=c" } },
    ])
      assert.throws(() => kafka(wrong as never), { code: "TIDINGS_INVALID_OPTION" }, JSON.stringify(wrong));
    assert.throws(() => kafkaFromUrl(`${open}?token=abc`), { code: "TIDINGS_INVALID_OPTION" });
    assert.throws(() => kafkaFromUrl(`${open}?tokenFile=t&saslExtensions=a`), { code: "TIDINGS_INVALID_OPTION" });
    const { saslMechanism, saslExtensions } = settingsOf(parseKafkaUrl(`${open}?tokenFile=t&saslExtensions=a=b=,c=d`));
    assert.deepEqual([saslMechanism, saslExtensions], ["OAUTHBEARER", { a: "b=", c: "d" }]);
  });

  it("stand in the address", () => {
    const parsed = parseKafkaUrl(`${url}?prefix=shop.&durability=weak&busyTimeoutMs=50&readOnly=true`);
    assert.deepEqual(parsed, { url, prefix: "shop.", durability: "weak", busyTimeoutMs: 50, readOnly: true });
  });

  it("take several brokers, and passwords with any characters", () => {
    const { hosts, user, password } = settingsOf({ url: "kafka://me:p%40ss@a:1,b,[::1]:3" });
    const named = hosts.map(({ host, port }) => `${host} ${port}`);
    assert.deepEqual([named, user, password], [["a 1", "b 9092", "::1 3"], "me", "p@ss"]);
    assert.equal(settingsOf({ url: "kafkas://a" }).tls, true);
  });

  it("never show a password in an error or an address", () => {
    assert.doesNotMatch(settingsOf({ url }).address, /secret/);
    for (const wrong of ["kafka://user:secret@:x", "kafka:secret", "mysql://user:secret@host", "kafka://u:secret@a b"])
      assert.throws(
        () => kafka({ url: wrong }),
        (error: Error) => !error.message.includes("secret"),
      );
  });

  it("ask for three replicas unless something weaker is stated", () => {
    assert.equal(settingsOf({ url }).replicas, 3);
    assert.equal(settingsOf({ url, durability: "weak" }).replicas, 1);
  });
});

it("numbers of batches begin at 0 again behind the largest one", () => {
  assert.equal(sequenceAfter(5, 3), 8);
  assert.equal(sequenceAfter(0x7fff_ffff, 1), 0);
  assert.equal(sequenceAfter(0x7fff_fffe, 3), 1);
});
