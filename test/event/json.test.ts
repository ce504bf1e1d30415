import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { topic } from "../../src/event/topic.ts";
import { publish, refusal } from "./support.ts";

const anything = () => topic("orders").event("shop.order.placed", { data: z.any() });

describe("a payload that JSON cannot hold", () => {
  it("is refused with the path of a bigint", () => {
    const error = refusal("TIDINGS_NOT_SERIALIZABLE", () =>
      publish(anything(), { items: [{ price: 1 }, { price: 5n }] }),
    );
    assert.match(error.message, /"shop\.order\.placed".*data\.items\[1\]\.price is a bigint/);
    assert.equal(error.details["path"], "data.items[1].price");
  });

  it("is refused with the path of a cycle", () => {
    const order: Record<string, unknown> = { customer: {} };
    (order["customer"] as Record<string, unknown>)["orders"] = [order["customer"]];
    const error = refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(anything(), order));
    assert.match(error.message, /data\.customer\.orders\[0\] is the same object as data\.customer, a cycle/);
  });

  it("is refused when toJSON throws", () => {
    const data = {
      toJSON() {
        throw new Error("not today");
      },
    };
    assert.match(refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(anything(), data)).message, /not today/);
  });

  for (const data of [undefined, () => 1, Symbol("s")]) {
    it(`is refused when it is ${data === undefined ? "undefined" : `a ${typeof data}`}`, () => {
      const error = refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(anything(), data));
      assert.match(error.message, new RegExp(`is (a )?${typeof data}, which JSON cannot hold`));
    });
  }

  it("may hold one object at several places", () => {
    const shared = { a: 1 };
    assert.equal(publish(anything(), [shared, shared]).data, '[{"a":1},{"a":1}]');
  });
});

describe("the first publish of a contract", () => {
  const withDates = {
    zod: z.object({ id: z.string(), lines: z.array(z.object({ at: z.date() })) }),
    valibot: v.object({ id: v.string(), lines: v.array(v.object({ at: v.date() })) }),
    arktype: type({ id: "string", lines: type({ at: "Date" }).array() }),
  };

  for (const [library, data] of Object.entries(withDates)) {
    it(`finds a Date that comes back as text (${library})`, () => {
      const OrderPlaced = topic("orders").event("shop.order.placed", { data });
      const payload = { id: "1", lines: [{ at: new Date(0) }] };
      const error = refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(OrderPlaced, payload));
      assert.match(error.message, /data\.lines\[0\]\.at is a Date and comes back as text/);
      assert.match(error.message, /toISOString\(\)/);
      assert.equal(error.details["path"], "data.lines[0].at");
      refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(OrderPlaced, payload));
    });
  }

  it("names the change that the schema refuses, not an earlier one that it takes", () => {
    const data = z.object({ taken: z.coerce.date(), refused: z.date() });
    const OrderPlaced = topic("orders").event("shop.order.placed", { data });
    const payload = { taken: new Date(0), refused: new Date(0) };
    const error = refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(OrderPlaced, payload));
    assert.equal(error.details["path"], "data.refused");
  });

  it("finds what JSON empties, turns into null or leaves out", () => {
    const cases: [z.ZodType, unknown, RegExp][] = [
      [
        z.object({ tags: z.set(z.string()) }),
        { tags: new Set("a") },
        /data\.tags is a Set and comes back as an object/,
      ],
      [z.object({ n: z.nan() }), { n: Number.NaN }, /data\.n is NaN and comes back as null/],
      [z.object({ f: z.function() }), { f: () => 1 }, /data\.f is a function and comes back as undefined/],
      [z.array(z.undefined()), [undefined], /data\[0\] is undefined and comes back as null/],
      [z.instanceof(URL), new URL("a:b"), /data is a URL and comes back as text/],
      [z.object({ raw: z.instanceof(Uint8Array) }), { raw: new Uint8Array(2) }, /data\.raw is a Uint8Array and comes/],
    ];
    for (const [data, payload, message] of cases) {
      const OrderPlaced = topic("orders").event("shop.order.placed", { data });
      assert.match(refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(OrderPlaced, payload)).message, message);
    }
  });

  it("accepts a Date where the schema takes its text as well", () => {
    const OrderPlaced = topic("orders").event("shop.order.placed", { data: z.object({ at: z.coerce.date() }) });
    assert.equal(publish(OrderPlaced, { at: new Date(0) }).data, '{"at":"1970-01-01T00:00:00.000Z"}');
  });

  it("accepts an optional property that is undefined", () => {
    const OrderPlaced = topic("orders").event("shop.order.placed", { data: z.object({ note: z.string().optional() }) });
    assert.equal(publish(OrderPlaced, { note: undefined }).data, "{}");
  });

  it("names the rule when nothing changes but the schema is of two minds", () => {
    let calls = 0;
    const data = z.string().refine(() => calls++ === 0, "only once");
    const OrderPlaced = topic("orders").event("shop.order.placed", { data });
    const error = refusal("TIDINGS_NOT_SERIALIZABLE", () => publish(OrderPlaced, "a"));
    assert.match(error.message, /refused by its own schema.*data: only once/);
  });

  it("is the only one that is checked so", () => {
    let validations = 0;
    const data = z.any().refine(() => ++validations > 0);
    const OrderPlaced = topic("orders").event("shop.order.placed", { data });
    for (let count = 0; count < 5; count++) publish(OrderPlaced, count);
    assert.equal(validations, 6);
  });
});
