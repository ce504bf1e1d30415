import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { nats, natsFromUrl, parseNatsUrl } from "../../../src/engines/nats/index.ts";
import { streamOf, subjectOf, tokenOf } from "../../../src/engines/nats/names.ts";
import { settingsOf } from "../../../src/engines/nats/options.ts";

const url = "nats://user:secret@localhost:4222";

describe("options of nats()", () => {
  it("that do not exist are refused with the one that was meant, in the address as well", () => {
    const refused = { code: "TIDINGS_INVALID_OPTION" } as const;
    assert.throws(() => nats({ url, replica: 3 } as never), { ...refused, message: /replicas/ });
    assert.throws(() => natsFromUrl(`${url}?prefx=x`), { ...refused, message: /prefix/ });
  });

  it("of the wrong kind are refused", () => {
    for (const wrong of [
      { prefix: "a.b" },
      { prefix: "" },
      { durability: "strong" },
      { replicas: 1 },
      { durability: "weak", replicas: 6 },
      { readOnly: 1 },
      { pingIntervalMs: 0 },
      { credsFile: 1 },
      { duplicateWindowMs: 10_000 },
    ])
      assert.throws(() => nats({ url, ...wrong } as never), { code: "TIDINGS_INVALID_OPTION" }, JSON.stringify(wrong));
  });

  it("stand in the address", () => {
    const parsed = parseNatsUrl(`${url}?prefix=shop&durability=weak&busyTimeoutMs=50&readOnly=true`);
    assert.deepEqual(parsed, { url, prefix: "shop", durability: "weak", busyTimeoutMs: 50, readOnly: true });
  });

  it("take several servers, a token, and passwords with any characters", () => {
    const { servers, user, password } = settingsOf({ url: "nats://me:p%40ss@a:1,b,[::1]:3" });
    assert.deepEqual([servers, user, password], [["a:1", "b:4222", "[::1]:3"], "me", "p@ss"]);
    assert.deepEqual(settingsOf({ url: "nats://t0ken@a" }).user, "t0ken");
    assert.equal(settingsOf({ url: "tls://a" }).tls, true);
  });

  it("never show a password in an error or an address", () => {
    assert.doesNotMatch(settingsOf({ url }).address, /secret/);
    for (const wrong of ["nats://user:secret@:x", "nats:secret", "mysql://user:secret@host", "nats://u:secret@a b"])
      assert.throws(
        () => nats({ url: wrong }),
        (error: Error) => !error.message.includes("secret"),
      );
  });

  it("ask for three replicas unless something weaker is stated", () => {
    assert.equal(settingsOf({ url }).replicas, 3);
    assert.equal(settingsOf({ url, durability: "weak" }).replicas, 1);
  });
});

describe("the names of streams and subjects", () => {
  const name = fc.string({
    unit: fc.constantFrom("a", "b", ".", "-", "_", "Z", "0", "9"),
    minLength: 1,
    maxLength: 249,
  });

  it("differ where topics or partitions differ, and are such as the server takes", () => {
    fc.assert(
      fc.property(name, name, fc.nat(127), fc.nat(127), (a, b, p, q) => {
        const [one, other] = [streamOf("x", a, p), streamOf("x", b, q)];
        assert.equal(one === other, a === b && p === q);
        assert.ok(one.length < 250 && !/[\s.*>]/.test(one), one);
        assert.equal(subjectOf("x", a, p).split(".").length, 4);
      }),
    );
  });

  it("are told apart also where long names begin alike", () => {
    assert.notEqual(tokenOf("n".repeat(248) + "a"), tokenOf("n".repeat(248) + "b"));
  });

  it("of a topic with dots show it", () => {
    assert.equal(streamOf("tidings", "shop.orders", 3), "tidings~shop=orders~3");
    assert.equal(subjectOf("tidings", "shop.orders", 3), "tidings.t.shop=orders.3");
  });
});
