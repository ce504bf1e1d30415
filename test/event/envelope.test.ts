import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { z } from "zod";

import { decode } from "../../src/event/decode.ts";
import { cloudEventJson, eventOf } from "../../src/event/envelope.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import { topic } from "../../src/event/topic.ts";
import { publish, recordOf } from "./support.ts";

const OrderPlaced = topic("orders", { key: (data: { id: string }) => data.id }).event("shop.order.placed", {
  data: z.object({ id: z.string(), at: z.iso.datetime().transform((at) => new Date(at)) }),
});
const data = { id: "42", at: "2026-01-31T12:00:00.000Z" };
const received = (record = publish(OrderPlaced, data)) => decode(record, OrderPlaced, defaultLimits)[0]!;

describe("an event", () => {
  it("has the attributes of CloudEvents and its data", () => {
    const event = received();
    assert.equal(event.specversion, "1.0");
    assert.equal(event.id, "id-1");
    assert.equal(event.source, "/shop");
    assert.equal(event.type, "shop.order.placed");
    assert.equal(event.time, "2026-01-31T12:00:00.005Z");
    assert.equal(event.timeMs, Date.UTC(2026, 0, 31, 12, 0, 0, 5));
    assert.equal(event.datacontenttype, "application/json");
    assert.equal(event.dataversion, 1);
    assert.equal(event.partitionkey, "42");
    assert.equal(event.correlationid, "id-1");
    assert.deepEqual(event.data, { id: "42", at: new Date("2026-01-31T12:00:00Z") });
    for (const name of ["subject", "causationid", "traceparent", "tracestate", "expirytime", "tenantid"] as const) {
      assert.equal(event[name], undefined);
    }
    assert.deepEqual(event.extensions, {});
  });

  it("has what the publisher and the cause said", () => {
    const attributes = {
      subject: "s", datacontenttype: "application/x+json", dataversion: "7", correlationid: "c", causationid: "d",
      traceparent: "00-a-b-01", tracestate: "x=1", expirytime: "2026-02-01T00:00:00.000Z", tenantid: "t",
    }; // prettier-ignore
    const event = eventOf(recordOf({ attributes: { ...attributes, colour: "red" } }), 1);
    for (const name of Object.keys(attributes) as (keyof typeof attributes)[]) {
      assert.equal(String(event[name]), attributes[name], name);
    }
    assert.deepEqual(event.extensions, { colour: "red" });
    assert.equal(event.partitionkey, undefined);
  });

  it("cannot be changed", () => {
    const event = received() as {
      -readonly [Name in keyof ReturnType<typeof received>]: ReturnType<typeof received>[Name];
    };
    for (const name of ["data", "id", "time", "anything"]) {
      assert.throws(() => Object.assign(event, { [name]: "other" }), TypeError);
    }
    assert.ok(Object.isFrozen(event));
  });

  it("is written by JSON.stringify as a CloudEvent", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(received())), {
      specversion: "1.0",
      id: "id-1",
      source: "/shop",
      type: "shop.order.placed",
      time: "2026-01-31T12:00:00.005Z",
      partitionkey: "42",
      datacontenttype: "application/json",
      correlationid: "id-1",
      data,
    });
  });

  it("is shown by console.log with all that it says", () => {
    const shown = inspect(received());
    for (const part of ["shop.order.placed", "id-1", "partitionkey", "2026-01-31T12:00:00.000Z"]) {
      assert.ok(shown.includes(part), shown);
    }
  });
});

describe("a record in structured JSON", () => {
  it("holds JSON as JSON, text as text, and bytes in Base64", () => {
    const payload = (record: Parameters<typeof recordOf>[0]) => {
      const { data: json, data_base64: base64 } = cloudEventJson(recordOf(record));
      return { json, base64 };
    };
    assert.deepEqual(payload({ data: '{"a":[1]}' }), { json: { a: [1] }, base64: undefined });
    assert.deepEqual(payload({ data: "null" }), { json: null, base64: undefined });
    const attributes = { datacontenttype: "text/plain" };
    assert.deepEqual(payload({ data: "123", attributes }), { json: "123", base64: undefined });
    assert.deepEqual(payload({ data: new Uint8Array([1, 2, 255]) }), { json: undefined, base64: "AQL/" });
    assert.deepEqual(payload({ data: "{broken" }), { json: undefined, base64: "e2Jyb2tlbg==" });
    assert.deepEqual(payload({ data: undefined }), { json: undefined, base64: undefined });
  });

  it("says nothing about the content type where there is no content", () => {
    assert.equal("datacontenttype" in cloudEventJson(recordOf({ data: undefined })), false);
  });

  it("takes another payload", () => {
    assert.equal(cloudEventJson(recordOf({ data: "1" }), { data: 2 })["data"], 2);
  });
});
