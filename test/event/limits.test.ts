import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";

import { decode } from "../../src/event/decode.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import { dataBytes, recordBytes } from "../../src/event/record.ts";
import { topic } from "../../src/event/topic.ts";
import { publish, recordOf, refusal } from "./support.ts";

const Anything = topic("orders").event("shop.order.placed", { data: z.any() });

describe("the size of an event", () => {
  const texts = {
    ASCII: "x",
    "two bytes": "é",
    "three bytes": "語",
    "four bytes": "🎉",
    "quotes that are escaped": '"',
  };

  for (const [what, character] of Object.entries(texts)) {
    it(`may be exactly the limit and no byte more (${what})`, () => {
      for (const length of [1, 10, 1000, 5000]) {
        const data = character.repeat(length);
        const bytes = recordBytes(publish(Anything, data));
        assert.ok(bytes > Buffer.byteLength(JSON.stringify(data)));
        const at = (eventBytesMax: number) => ({ limits: { ...defaultLimits, eventBytesMax } });
        publish(Anything, data, undefined, at(bytes));
        const error = refusal("TIDINGS_EVENT_TOO_LARGE", () => publish(Anything, data, undefined, at(bytes - 1)));
        assert.deepEqual([error.details["bytes"], error.details["limit"]], [bytes, bytes - 1]);
        assert.match(error.message, /"shop\.order\.placed".*reference/);
      }
    });
  }

  it("counts key, id, source and attributes", () => {
    const options = { id: "ü".repeat(5), key: "é".repeat(7), subject: "語", extensions: { colour: "🎉" } };
    const record = publish(Anything, 1, options, { source: "/ö" });
    const bytes =
      24 + 10 + 3 + "shop.order.placed".length + 14 + ("subject".length + 3 + 6) + ("colour".length + 4 + 6) + 1;
    assert.equal(recordBytes(record), bytes);
  });

  it("is one MiB at most by default", () => {
    assert.equal(defaultLimits.eventBytesMax, 1024 * 1024);
    refusal("TIDINGS_EVENT_TOO_LARGE", () => publish(Anything, "x".repeat(1024 * 1024)));
    publish(Anything, "x".repeat(1024 * 1024 - 200));
  });

  it("of bytes is their number", () => {
    assert.deepEqual([dataBytes(undefined), dataBytes(new Uint8Array(7)), dataBytes("é")], [0, 7, 2]);
  });
});

describe("the depth of a payload", () => {
  const arrays = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
  const objects = (depth: number): unknown => JSON.parse('{"a":'.repeat(depth - 1) + "{}" + "}".repeat(depth - 1));
  const atDepth = (depthMax: number) => ({ limits: { ...defaultLimits, depthMax } });

  for (const [kind, nested] of Object.entries({ arrays, objects })) {
    it(`may be exactly the limit and no level more (${kind})`, () => {
      publish(Anything, nested(64));
      const error = refusal("TIDINGS_EVENT_TOO_DEEP", () => publish(Anything, nested(65)));
      assert.match(error.message, /"shop\.order\.placed".*deeper than 64 levels/);
      publish(Anything, nested(3), undefined, atDepth(3));
      refusal("TIDINGS_EVENT_TOO_DEEP", () => publish(Anything, nested(4), undefined, atDepth(3)));
    });

    it(`is checked on consume too (${kind})`, () => {
      const limits = { ...defaultLimits, depthMax: 3 };
      decode(recordOf({ data: JSON.stringify(nested(3)) }), Anything, limits);
      refusal("TIDINGS_EVENT_TOO_DEEP", () => decode(recordOf({ data: JSON.stringify(nested(4)) }), Anything, limits));
    });
  }

  it("is not mistaken for width", () => {
    publish(
      Anything,
      Array.from({ length: 500 }, () => ({ a: [] })),
    );
  });

  it("does not count brackets inside text", () => {
    publish(Anything, ["[".repeat(100), '\\"{'.repeat(300), { '"[': "{" }]);
  });

  it("beyond the stack is refused like any other", () => {
    let nested: unknown = [];
    for (let level = 0; level < 200_000; level++) nested = [nested];
    refusal("TIDINGS_EVENT_TOO_DEEP", () => publish(Anything, nested));
    const data = "[".repeat(200_000) + "]".repeat(200_000);
    refusal("TIDINGS_EVENT_TOO_DEEP", () => decode(recordOf({ data }), Anything, defaultLimits));
  });
});

describe("a property __proto__", () => {
  const disguises = {
    "at the top": '{"__proto__":{"admin":true}}',
    nested: '{"a":[{"b":{"__proto__":1}}]}',
    "escaped in part": '{"\\u005f_proto__":1}',
    "escaped in capital hexadecimal": '{"__proto\\u005F_":1}',
    "escaped altogether": '{"\\u005f\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f":1}',
    "beside others": '{"a":1,"__proto__":null,"b":2}',
    "after a text that looks like it": '{"a":"__proto__","__proto__":1}',
  };

  for (const [disguise, data] of Object.entries(disguises)) {
    it(`is refused on publish and on consume (${disguise})`, () => {
      const error = refusal("TIDINGS_FORBIDDEN_PROPERTY", () => publish(Anything, JSON.parse(data)));
      assert.match(error.message, /"shop\.order\.placed".*"__proto__"/);
      refusal("TIDINGS_FORBIDDEN_PROPERTY", () => decode(recordOf({ data }), Anything, defaultLimits));
    });
  }

  it("is refused when a getter or toJSON makes it", () => {
    const made = { toJSON: () => JSON.parse('{"__proto__":1}') as unknown };
    refusal("TIDINGS_FORBIDDEN_PROPERTY", () => publish(Anything, made));
  });

  it("may be spoken of in text, and its parts may be names", () => {
    publish(Anything, { text: "__proto__", list: ["\\u005f_proto__", "\u0000"], proto: 1, __proto: 2, constructor: 3 });
  });
});
