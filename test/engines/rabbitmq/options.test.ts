import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { parseRabbitmqUrl, rabbitmq, rabbitmqFromUrl } from "../../../src/engines/rabbitmq/index.ts";
import { queueOf } from "../../../src/engines/rabbitmq/names.ts";
import { settingsOf } from "../../../src/engines/rabbitmq/options.ts";

const url = "amqp://user:secret@localhost:5672";

describe("options of rabbitmq()", () => {
  it("that do not exist are refused with the one that was meant, in the address as well", () => {
    const refused = { code: "TIDINGS_INVALID_OPTION" } as const;
    assert.throws(() => rabbitmq({ url, replica: 3 } as never), { ...refused, message: /replicas/ });
    assert.throws(() => rabbitmqFromUrl(`${url}?prefx=x`), { ...refused, message: /prefix/ });
  });

  it("of the wrong kind are refused", () => {
    for (const wrong of [
      { prefix: "a.b" },
      { prefix: "" },
      { durability: "disk" },
      { replicas: 1.5 },
      { segmentBytes: 0 },
      { readOnly: 1 },
      { pingIntervalMs: 0 },
      { caFile: 1 },
    ])
      assert.throws(
        () => rabbitmq({ url, ...wrong } as never),
        { code: "TIDINGS_INVALID_OPTION" },
        JSON.stringify(wrong),
      );
  });

  it("stand in the address", () => {
    const parsed = parseRabbitmqUrl(`${url}/shop?prefix=shop&durability=weak&busyTimeoutMs=50&readOnly=true`);
    assert.deepEqual(parsed, {
      url: `${url}/shop`,
      prefix: "shop",
      durability: "weak",
      busyTimeoutMs: 50,
      readOnly: true,
    });
  });

  it("take several servers, a vhost, and passwords with any characters", () => {
    const { hosts, user, password, vhost } = settingsOf({ url: "amqp://me:p%40ss@a:1,b,[::1]:3/a%2Fb" });
    assert.deepEqual(
      hosts.map(({ host, port }) => `${host} ${port}`),
      ["a 1", "b 5672", "::1 3"],
    );
    assert.deepEqual([user, password, vhost], ["me", "p@ss", "a/b"]);
    assert.deepEqual(settingsOf({ url: "amqps://a" }).hosts, [{ host: "a", port: 5671 }]);
    assert.equal(settingsOf({ url: "amqp://a/" }).vhost, "/");
  });

  it("never show a password in an error or an address", () => {
    assert.doesNotMatch(settingsOf({ url }).address, /secret/);
    for (const wrong of ["amqp://user:secret@:x", "amqp:secret", "mysql://user:secret@host", "amqp://u:secret@a b"])
      assert.throws(
        () => rabbitmq({ url: wrong }),
        (error: Error) => !error.message.includes("secret"),
      );
  });
});

describe("names of queues", () => {
  it("are different for different places, and short enough", () => {
    const topic = fc.stringMatching(/^[A-Za-z0-9._-]{1,249}$/);
    const place = fc.tuple(topic, fc.nat(63));
    fc.assert(
      fc.property(place, place, ([a, m], [b, n]) => {
        const [left, right] = [queueOf("p".repeat(32), a, m), queueOf("p".repeat(32), b, n)];
        assert.equal(left === right, a === b && m === n);
        assert.ok(left.length <= 255);
      }),
    );
  });
});
