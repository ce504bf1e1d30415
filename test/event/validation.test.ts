import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { decode } from "../../src/event/decode.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import { topic } from "../../src/event/topic.ts";
import { order, orderSchemas, publish, recordOf, refusal } from "./support.ts";

type Schema = StandardSchemaV1<unknown, unknown>;

/** A schema whose answer is made up. */
function schema(validate: (value: unknown) => unknown): Schema {
  return { "~standard": { version: 1, vendor: "test", validate: validate as Schema["~standard"]["validate"] } };
}

function contractOf(data: Schema) {
  return topic("orders").event("shop.order.placed", { data });
}

for (const [library, data] of Object.entries(orderSchemas)) {
  describe(`a payload checked with ${library}`, () => {
    const OrderPlaced = contractOf(data);
    const broken = { ...order, items: [{ sku: "a" }, { sku: 7 }] };

    it("passes when it fits", () => {
      const record = publish(OrderPlaced, order);
      assert.deepEqual(decode(record, OrderPlaced, defaultLimits)[0]?.data, order);
    });

    it("is refused on publish with path, rule and contract", () => {
      const error = refusal("TIDINGS_INVALID_PAYLOAD", () => publish(OrderPlaced, broken));
      assert.match(error.message, /"shop\.order\.placed" version 1 of topic "orders" on publish/);
      assert.match(error.message, /data\.items\[1\]\.sku: .*string/);
      assert.deepEqual(
        { ...error.details, rule: undefined },
        {
          type: "shop.order.placed",
          version: 1,
          topic: "orders",
          path: "data.items[1].sku",
          issues: 1,
          rule: undefined,
        },
      );
      assert.match(String(error.details["rule"]), /string/);
    });

    it("is refused on consume with path, rule and contract", () => {
      const record = recordOf({ data: JSON.stringify(broken) });
      const error = refusal("TIDINGS_INVALID_PAYLOAD", () => decode(record, OrderPlaced, defaultLimits));
      assert.match(error.message, /"shop\.order\.placed" version 1 of topic "orders" on consume/);
      assert.match(error.message, /data\.items\[1\]\.sku: .*string/);
    });

    it("names every fault, up to five, and says how many more there are", () => {
      const items = Array.from({ length: 7 }, () => ({ sku: 1 }));
      const error = refusal("TIDINGS_INVALID_PAYLOAD", () => publish(OrderPlaced, { ...order, items }));
      assert.equal(error.details["issues"], 7);
      assert.match(error.message, /data\.items\[4\]\.sku.* \(and 2 more\)$/);
    });

    it("names the data itself when it is no object", () => {
      const error = refusal("TIDINGS_INVALID_PAYLOAD", () => publish(OrderPlaced, "text"));
      assert.equal(error.details["path"], "data");
    });
  });
}

describe("what the schema makes of a payload", () => {
  const transforming: Record<string, Schema> = {
    zod: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
    valibot: v.object({ at: v.pipe(v.string(), v.isoTimestamp(), v.toDate()) }),
    arktype: type({ at: "string.date.iso.parse" }),
  };

  for (const [library, data] of Object.entries(transforming)) {
    it(`reaches the handler, while the wire holds the input (${library})`, () => {
      const OrderPlaced = contractOf(data);
      const record = publish(OrderPlaced, { at: "2026-01-31T12:00:00.000Z" });
      assert.equal(record.data, '{"at":"2026-01-31T12:00:00.000Z"}');
      const [event] = decode(record, OrderPlaced, defaultLimits);
      assert.deepEqual(event?.data, { at: new Date("2026-01-31T12:00:00Z") });
    });
  }

  it("fills in defaults for the handler only", () => {
    const OrderPlaced = contractOf(z.object({ currency: z.string().default("EUR") }));
    const record = publish(OrderPlaced, {});
    assert.equal(record.data, "{}");
    assert.deepEqual(decode(record, OrderPlaced, defaultLimits)[0]?.data, { currency: "EUR" });
  });
});

describe("a schema that answers with a Promise", () => {
  const asynchronous: Record<string, Schema> = {
    zod: z.object({ orderId: z.string().refine(() => Promise.resolve(true)) }),
    valibot: v.objectAsync({
      orderId: v.pipeAsync(
        v.string(),
        v.checkAsync(() => Promise.resolve(true)),
      ),
    }),
    "any library": schema(() => Promise.reject(new Error("too late"))),
    "a library with promises of its own": schema(() => Object.create(Promise.prototype) as unknown),
  };

  for (const [library, data] of Object.entries(asynchronous)) {
    it(`is refused on publish and on consume (${library})`, () => {
      const OrderPlaced = contractOf(data);
      const error = refusal("TIDINGS_SCHEMA_ASYNC", () => publish(OrderPlaced, { orderId: "1" }));
      assert.match(error.message, /"shop\.order\.placed".*synchronously/);
      const record = recordOf({ data: '{"orderId":"1"}' });
      refusal("TIDINGS_SCHEMA_ASYNC", () => decode(record, OrderPlaced, defaultLimits));
    });
  }
});

describe("a schema that fails", () => {
  it("is named with what it threw", () => {
    const cause = new Error("no table");
    const OrderPlaced = contractOf(
      schema(() => {
        throw cause;
      }),
    );
    const error = refusal("TIDINGS_SCHEMA_FAILED", () => publish(OrderPlaced, {}));
    assert.match(error.message, /"shop\.order\.placed".*threw on publish: no table/);
    assert.equal(error.cause, cause);
    refusal("TIDINGS_SCHEMA_FAILED", () => decode(recordOf(), OrderPlaced, defaultLimits));
  });

  it("is told from one that refuses when it answers with nothing", () => {
    refusal("TIDINGS_SCHEMA_FAILED", () => publish(contractOf(schema(() => undefined)), {}));
  });

  it("may refuse without a reason", () => {
    const error = refusal("TIDINGS_INVALID_PAYLOAD", () => publish(contractOf(schema(() => ({ issues: [] }))), {}));
    assert.equal(error.details["path"], "data");
  });
});

describe("the path of a fault", () => {
  it("is written as in a program, whatever a property is called", () => {
    const issues = [{ message: "wrong", path: ["a b", { key: "c" }, 3, Symbol("s")] }];
    const error = refusal("TIDINGS_INVALID_PAYLOAD", () => publish(contractOf(schema(() => ({ issues }))), {}));
    assert.equal(error.details["path"], 'data["a b"].c[3].Symbol(s)');
  });
});
