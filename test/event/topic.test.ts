import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";

import { checkEventType, checkName } from "../../src/event/names.ts";
import { topic, type TopicOptions } from "../../src/event/topic.ts";
import { refusal } from "./support.ts";

const data = z.any();

describe("a topic", () => {
  it("keeps what it is declared with, frozen", () => {
    const key = (order: { id: string }) => order.id;
    const orders = topic("orders", { key, partitions: 12, retention: { maxAgeMs: 1000 } });
    const { name, partitions, retention } = orders;
    assert.deepEqual(
      { name, partitions, retention },
      { name: "orders", partitions: 12, retention: { maxAgeMs: 1000 } },
    );
    assert.equal(orders.key, key);
    assert.ok(Object.isFrozen(orders));
  });

  it("suggests the right name for an option with a typing error", () => {
    const options = { partition: 3 } as TopicOptions<unknown>;
    const error = refusal("TIDINGS_INVALID_OPTION", () => topic("orders", options));
    assert.match(error.message, /topic\("orders"\) has no option "partition"; did you mean "partitions"\?/);
    const retention = { maxAge: 3 } as TopicOptions<unknown>["retention"] & object;
    assert.match(
      refusal("TIDINGS_INVALID_OPTION", () => topic("orders", { retention })).message,
      /topic\("orders"\)\.retention has no option "maxAge"; did you mean "maxAgeMs"\?/,
    );
  });

  it("refuses options of the wrong kind", () => {
    const wrong: unknown[] = [
      { partitions: 0 }, { partitions: 1.5 }, { partitions: "3" }, { key: "orderId" }, { retention: { maxAgeMs: -1 } },
      { retention: { partitionBytesMax: Number.NaN } }, { retention: 5 }, null, [],
    ]; // prettier-ignore
    for (const options of wrong) {
      refusal("TIDINGS_INVALID_OPTION", () => topic("orders", options as TopicOptions<unknown>));
    }
  });

  it("has every event type once", () => {
    const orders = topic("orders");
    orders.event("placed", { data });
    assert.match(
      refusal("TIDINGS_DUPLICATE_EVENT_TYPE", () => orders.event("placed", { data })).message,
      /\.version\(2/,
    );
    topic("others").event("placed", { data });
  });
});

describe("an event type", () => {
  it("belongs to its topic, has version 1, and is frozen", () => {
    const orders = topic("orders");
    const OrderPlaced = orders.event("placed", { data });
    assert.equal(OrderPlaced.topic, orders);
    assert.deepEqual([OrderPlaced.type, OrderPlaced.dataVersion, OrderPlaced.steps.length], ["placed", 1, 1]);
    assert.ok(Object.isFrozen(OrderPlaced));
  });

  it("needs a schema that follows Standard Schema", () => {
    for (const options of [undefined, {}, { data: undefined }, { data: { parse() {} } }, { data: () => true }]) {
      const error = refusal("TIDINGS_INVALID_OPTION", () => topic("orders").event("placed", options as never));
      assert.match(error.message, /"placed" needs \{ data: schema \}.*Standard Schema/);
    }
  });

  it("suggests the right name for an option with a typing error", () => {
    const error = refusal("TIDINGS_INVALID_OPTION", () => topic("orders").event("placed", { dta: data } as never));
    assert.match(error.message, /event\("placed"\) has no option "dta"; did you mean "data"\?/);
  });
});

describe("a name", () => {
  it("is 1 to 249 letters, digits, dots, underscores and dashes", () => {
    for (const name of ["a", "A.b_c-9", "x".repeat(249), "...", "-"]) assert.equal(checkName("topic", name), name);
    for (const name of ["", "x".repeat(250), "a b", "a/b", "ü", "a\n", ".", "..", 7, undefined, null, Symbol("s")]) {
      const error = refusal("TIDINGS_INVALID_NAME", () => checkName("service", name as string));
      assert.match(error.message, /^The service name /);
    }
    refusal("TIDINGS_INVALID_NAME", () => topic("orders/placed"));
  });

  it("of an event type is any text of up to 255 characters without blanks", () => {
    for (const type of ["a", "shop.order.placed", "über/Bestellung#1", "x".repeat(255), "🎉".repeat(100)]) {
      assert.equal(checkEventType(type), type);
    }
    for (const type of ["", "a b", "a\u00a0b", "a\u0000", "x".repeat(256), "\ud800", 7, undefined]) {
      refusal("TIDINGS_INVALID_NAME", () => checkEventType(type as string));
    }
  });
});
