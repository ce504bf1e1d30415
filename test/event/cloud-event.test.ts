import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";

import { cloudEventJson } from "../../src/event/envelope.ts";
import { recordFromCloudEvent } from "../../src/event/from-cloud-event.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import { recordOf, refusal } from "./support.ts";

const least = { specversion: "1.0", id: "1", source: "/s", type: "t", time: "2026-01-31T12:00:00Z" };
const timeMs = Date.UTC(2026, 0, 31, 12);

describe("a CloudEvent in JSON", () => {
  it("becomes a record with every attribute", () => {
    const json = {
      ...least,
      time: "2026-01-31T13:30:00.123456+01:30",
      partitionkey: "k",
      subject: "s",
      datacontenttype: "application/x+json",
      dataschema: "https://example.com/schema",
      dataversion: 2,
      correlationid: "c",
      expirytime: "2026-02-01T00:00:00Z",
      sampled: true,
      sequence: 7,
      colour: "red",
      data: { a: [1, null, "é"] },
    };
    assert.deepEqual(recordFromCloudEvent(json), {
      id: "1",
      source: "/s",
      type: "t",
      timeMs: timeMs + 123,
      key: "k",
      attributes: {
        subject: "s",
        datacontenttype: "application/x+json",
        dataschema: "https://example.com/schema",
        dataversion: "2",
        correlationid: "c",
        expirytime: "2026-02-01T00:00:00Z",
        sampled: "true",
        sequence: "7",
        colour: "red",
      },
      data: '{"a":[1,null,"é"]}',
    });
  });

  it("needs no more than it must", () => {
    assert.deepEqual(recordFromCloudEvent(least), {
      id: "1", source: "/s", type: "t", timeMs, key: null, attributes: undefined, data: undefined,
    }); // prettier-ignore
  });

  it("takes null for an attribute that is not there", () => {
    const json = { ...least, subject: null, partitionkey: null, colour: null, data_base64: null, data: 1 };
    assert.deepEqual(recordFromCloudEvent(json), recordFromCloudEvent({ ...least, data: 1 }));
  });

  it("takes the given time when it states none", () => {
    const { time: _, ...timeless } = least;
    assert.equal(recordFromCloudEvent(timeless, { timeMs: 5 }).timeMs, 5);
    assert.equal(recordFromCloudEvent({ ...least, time: null }, { timeMs: 5 }).timeMs, 5);
    assert.equal(recordFromCloudEvent(least, { timeMs: 5 }).timeMs, timeMs);
  });

  it("leaves out attributes that only repeat what their absence means", () => {
    const json = { ...least, datacontenttype: "application/json", correlationid: "1", data: 1 };
    assert.equal(recordFromCloudEvent(json).attributes, undefined);
  });

  it("holds JSON, null included, text of another type, or bytes", () => {
    const read = (members: object) => recordFromCloudEvent({ ...least, ...members }).data;
    assert.equal(read({ data: null }), "null");
    assert.equal(read({ data: "text" }), '"text"');
    assert.equal(read({ data: "text", datacontenttype: "application/json; charset=utf-8" }), '"text"');
    assert.equal(read({ data: "text", datacontenttype: "text/plain" }), "text");
    assert.deepEqual(read({ data_base64: "AQL/" }), new Uint8Array([1, 2, 255]));
    assert.deepEqual(read({ data_base64: "" }), new Uint8Array());
  });
});

describe("a CloudEvent that is none", () => {
  const wrong: [string, unknown][] = [
    ["event", "text"], ["event", null], ["event", undefined], ["event", [least]], ["specversion", {}],
    ["specversion", { ...least, specversion: "0.3" }], ["specversion", { ...least, specversion: 1 }],
    ["id", { ...least, id: undefined }], ["id", { ...least, id: "" }], ["id", { ...least, id: 7 }],
    ["id", { ...least, id: "x".repeat(513) }], ["source", { ...least, source: "" }], ["source", { ...least, source: null }],
    ["type", { ...least, type: "a b" }], ["type", { ...least, type: undefined }],
    ["time", { ...least, time: undefined }], ["time", { ...least, time: "2026-01-31T12:00:00" }],
    ["time", { ...least, time: "2026-02-30T12:00:00Z" }], ["time", { ...least, time: 5 }],
    ["partitionkey", { ...least, partitionkey: "" }], ["partitionkey", { ...least, partitionkey: 7 }],
    ["subject", { ...least, subject: "" }], ["subject", { ...least, subject: "a\u0000" }],
    ["subject", { ...least, subject: { text: "s" } }], ["sequence", { ...least, sequence: 1.5 }],
    ["sequence", { ...least, sequence: 2 ** 31 }], ["list", { ...least, list: ["a"] }],
    ["dataversion", { ...least, dataversion: 0 }], ["dataversion", { ...least, dataversion: "two" }],
    ["dataversion", { ...least, dataversion: [2] }], ["expirytime", { ...least, expirytime: "soon" }],
    ["expirytime", { ...least, expirytime: 5 }], ["traceParent", { ...least, traceParent: "00" }],
    ["my-name", { ...least, "my-name": "a" }], ["__proto__", JSON.parse(JSON.stringify(least).replace("{", '{"__proto__":1,'))],
    ["data", { ...least, data: { a: 1 }, datacontenttype: "text/plain" }],
    ["data_base64", { ...least, data: 1, data_base64: "AQL/" }], ["data_base64", { ...least, data_base64: "AQL" }],
    ["data_base64", { ...least, data_base64: "A QL/" }], ["data_base64", { ...least, data_base64: 5 }],
    ["data_base64", { ...least, data_base64: "A===" }],
  ]; // prettier-ignore

  for (const [attribute, json] of wrong) {
    const shown = inspect((json as Record<string, unknown> | undefined)?.[attribute] ?? json, {
      breakLength: Infinity,
    });
    it(`is refused, naming ${attribute}: ${shown.slice(0, 60)}`, () => {
      const error = refusal("TIDINGS_INVALID_INPUT", () => recordFromCloudEvent(json));
      assert.equal(error.details["attribute"], attribute);
      if (attribute !== "event") assert.ok(error.message.includes(`"${attribute}"`), error.message);
      assert.match(error.message, /\.$/);
    });
  }

  it("is refused for its size, depth and property names as on publish", () => {
    const read = (data: unknown) => recordFromCloudEvent({ ...least, data });
    refusal("TIDINGS_EVENT_TOO_LARGE", () => read("x".repeat(2 ** 20)));
    refusal("TIDINGS_EVENT_TOO_DEEP", () => read(JSON.parse("[".repeat(65) + "]".repeat(65))));
    refusal("TIDINGS_FORBIDDEN_PROPERTY", () => read(JSON.parse('{"a":{"__proto__":1}}')));
    refusal("TIDINGS_EVENT_TOO_DEEP", () => read(JSON.parse("[".repeat(200_000) + "]".repeat(200_000))));
    const limits = { ...defaultLimits, eventBytesMax: 50 };
    refusal("TIDINGS_EVENT_TOO_LARGE", () => recordFromCloudEvent({ ...least, data: "x".repeat(50) }, { limits }));
  });
});

describe("a record", () => {
  it("comes back from structured JSON as it was", () => {
    const attributes = { dataversion: "2", correlationid: "c", colour: "red" };
    for (const record of [
      recordOf({ key: "k", attributes, data: '{"a":1}' }),
      recordOf({ data: undefined }),
      recordOf({ data: new Uint8Array([0, 255]) }),
      recordOf({ data: "123", attributes: { datacontenttype: "text/plain" } }),
    ]) {
      assert.deepEqual(recordFromCloudEvent(JSON.parse(JSON.stringify(cloudEventJson(record)))), record);
    }
  });
});
