import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { z } from "zod";

import type { PublishOptions } from "../../src/event/encode.ts";
import { topic } from "../../src/event/topic.ts";
import { nowMs, order, orderSchemas, publish, recordOf, refusal } from "./support.ts";

const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
const OrderPlaced = orders.event("shop.order.placed", { data: orderSchemas.zod });

describe("a published event", () => {
  it("has id, source and time from its surroundings, and key and data from its payload", () => {
    assert.deepEqual(publish(OrderPlaced, order), {
      id: "id-1",
      source: "/shop",
      type: "shop.order.placed",
      timeMs: nowMs,
      key: "42",
      attributes: undefined,
      data: JSON.stringify(order),
    });
  });

  it("carries what the publisher says", () => {
    const record = publish(OrderPlaced, order, {
      id: "chosen",
      subject: "order 42",
      time: new Date(5),
      key: "other",
      expiresAt: "2026-02-01T01:00:00+01:00",
      correlationId: "c",
      causationId: "d",
      tenantId: "t",
      traceparent: "00-a-b-01",
      tracestate: "x=1",
      extensions: { colour: "red" },
    });
    assert.deepEqual([record.id, record.timeMs, record.key], ["chosen", 5, "other"]);
    assert.deepEqual(record.attributes, {
      subject: "order 42",
      expirytime: "2026-02-01T00:00:00.000Z",
      correlationid: "c",
      causationid: "d",
      tenantid: "t",
      traceparent: "00-a-b-01",
      tracestate: "x=1",
      colour: "red",
    });
  });

  it("has no attributes when the options say nothing", () => {
    const silent: PublishOptions[] = [{}, { subject: undefined, extensions: {} }, { id: "a", key: null, time: 0 }];
    for (const options of silent) assert.equal(publish(OrderPlaced, order, options).attributes, undefined);
  });

  it("takes its time as Date, number or text with a zone", () => {
    const times = [new Date(1_500), 1_500, 1_500.7, "1970-01-01T00:00:01.5Z", "1970-01-01t02:00:01.500999+02:00"];
    for (const time of times) assert.equal(publish(OrderPlaced, order, { time }).timeMs, 1_500);
  });
});

describe("a time that is none", () => {
  const times = [
    "yesterday", "", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-13-01T00:00:00Z",
    "2026-01-31T25:00:00Z", "12026-01-31T00:00:00Z", Number.NaN, Infinity, 1e15, new Date(Number.NaN), {}, null,
  ]; // prettier-ignore

  for (const time of times) {
    it(`is refused, naming the option: ${inspect(time)}`, () => {
      for (const option of ["time", "expiresAt"]) {
        const options = { [option]: time } as PublishOptions;
        const error = refusal("TIDINGS_INVALID_OPTION", () => publish(OrderPlaced, order, options));
        assert.match(error.message, new RegExp(`The option ${option} for "shop.order.placed"`));
        assert.match(error.message, /zone/);
      }
    });
  }
});

describe("the key", () => {
  const keyed = (key: (data: never) => unknown) =>
    topic("orders", { key: key as (data: unknown) => string }).event("shop.order.placed", { data: z.any() });

  it("is absent without a key function, and where that answers null", () => {
    assert.equal(publish(topic("t").event("e", { data: z.any() }), 1).key, null);
    const Null = keyed(() => null);
    assert.equal(publish(Null, 1).key, null);
  });

  it("function that throws is named with its topic", () => {
    const Throws = keyed((data: { order: { id: string } }) => data.order.id);
    const error = refusal("TIDINGS_KEY_FUNCTION", () => publish(Throws, {}));
    assert.match(error.message, /key function of topic "orders" threw for "shop\.order\.placed".*undefined/);
    assert.ok(error.cause instanceof TypeError);
  });

  const wrong: [string, unknown, RegExp][] = [
    ["a number", 42, /returned a value of type number/],
    ["undefined", undefined, /returned undefined/],
    ["an object", {}, /returned a value of type object/],
    ["empty text", "", /returned empty text/],
    ["513 characters", "x".repeat(513), /returned text of 513 characters/],
    ["a control character", "a\u001fb", /without control characters/],
    ["half of a surrogate pair", "a\ud83c", /without control characters/],
  ];
  for (const [what, key, message] of wrong) {
    it(`is refused when it is ${what}`, () => {
      const Wrong = keyed(() => key);
      const error = refusal("TIDINGS_KEY_FUNCTION", () => publish(Wrong, 1));
      assert.match(error.message, message);
      assert.match(error.message, /or null/);
      if (key === undefined) return;
      const options = { key: key as string };
      assert.equal(
        refusal("TIDINGS_INVALID_OPTION", () => publish(OrderPlaced, order, options)).details["option"],
        "key",
      );
    });
  }

  it("may be any other text of up to 512 characters", () => {
    for (const key of ["x".repeat(512), "é 語 🎉", " "]) assert.equal(publish(OrderPlaced, order, { key }).key, key);
  });
});

describe("an option", () => {
  it("with a typing error is refused, and the right one suggested", () => {
    const typos = {
      subjet: "subject",
      ID: "id",
      expireAt: "expiresAt",
      correlationID: "correlationId",
      tenant: "tenantId",
    };
    for (const [typo, meant] of Object.entries(typos)) {
      const error = refusal("TIDINGS_INVALID_OPTION", () => publish(OrderPlaced, order, { [typo]: "x" }));
      assert.match(error.message, new RegExp(`"shop.order.placed" has no option "${typo}".*`));
      assert.equal(error.details["suggestion"] ?? "tenantId", meant);
    }
  });

  it("of the wrong kind is refused by name", () => {
    const wrong: PublishOptions[] = [
      { id: "" }, { id: "x".repeat(513) }, { id: 7 as never }, { id: "a\nb" }, { subject: "" }, { subject: 1 as never },
      { tenantId: "\u007f" }, { correlationId: null as never }, { traceparent: {} as never },
      { extensions: { colour: 5 as never } }, { extensions: { colour: "" } },
    ]; // prettier-ignore
    for (const options of wrong) {
      const [name] = Object.keys(options);
      const error = refusal("TIDINGS_INVALID_OPTION", () => publish(OrderPlaced, order, options));
      assert.match(error.message, new RegExp(`The option ${name}`));
    }
  });

  it("for an extension is refused when the name is not one", () => {
    for (const name of ["Colour", "my-colour", "a_b", "", "x".repeat(33), "é"]) {
      const error = refusal("TIDINGS_INVALID_NAME", () => publish(OrderPlaced, order, { extensions: { [name]: "x" } }));
      assert.match(error.message, /lower-case letters and digits/);
    }
    for (const name of ["id", "source", "correlationid", "dataversion", "data", "tenantid", "specversion"]) {
      const error = refusal("TIDINGS_INVALID_NAME", () => publish(OrderPlaced, order, { extensions: { [name]: "x" } }));
      assert.match(error.message, /belongs to CloudEvents or tidings/);
    }
  });
});

describe("what a handler publishes", () => {
  const from = (attributes?: Record<string, string>, options?: PublishOptions) =>
    publish(OrderPlaced, order, options, { cause: recordOf({ id: "cause", attributes }) }).attributes;

  it("is caused by the handled event, and correlated by its id at the root", () => {
    assert.deepEqual(from(), { correlationid: "cause", causationid: "cause" });
    assert.deepEqual(from({ subject: "s" }), { correlationid: "cause", causationid: "cause" });
  });

  it("keeps correlation, trace and tenant, and nothing else", () => {
    const flowing = { correlationid: "root", traceparent: "00-a-b-01", tracestate: "x=1", tenantid: "t" };
    const own = {
      causationid: "before",
      subject: "s",
      expirytime: "2026-01-01T00:00:00.000Z",
      dataversion: "3",
      colour: "red",
    };
    assert.deepEqual(from({ ...flowing, ...own }), { ...flowing, causationid: "cause" });
  });

  it("may say otherwise", () => {
    const flowing = { correlationid: "root", traceparent: "00-a-b-01", tracestate: "x=1", tenantid: "t" };
    assert.deepEqual(from(flowing, { correlationId: "c", causationId: "d", tenantId: "u", traceparent: "00-c-d-01" }), {
      correlationid: "c",
      causationid: "d",
      tenantid: "u",
      traceparent: "00-c-d-01",
    });
  });

  it("flows over several steps", () => {
    let record = publish(OrderPlaced, order, { tenantId: "t" }, { nextId: () => "root" });
    for (const id of ["second", "third"]) {
      record = publish(OrderPlaced, order, undefined, { cause: record, nextId: () => id });
    }
    assert.deepEqual(record.attributes, { correlationid: "root", causationid: "second", tenantid: "t" });
  });
});
