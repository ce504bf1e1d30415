import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { z } from "zod";

import { decode } from "../../src/event/decode.ts";
import { cloudEventJson } from "../../src/event/envelope.ts";
import { recordFromCloudEvent } from "../../src/event/from-cloud-event.ts";
import { payloadHash } from "../../src/event/hash.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import type { EventRecord } from "../../src/event/record.ts";
import { topic } from "../../src/event/topic.ts";
import { utf8Length } from "../../src/event/utf8.ts";
import { publish } from "./support.ts";

const Anything = topic("orders").event("shop.order.placed", { data: z.any() });

const text = fc.string({ unit: "binary" });
/** Values that JSON gives back as they are: it has no -0, and `__proto__` is refused. */
const json = fc
  .jsonValue({ stringUnit: "binary" })
  .filter((value) => !JSON.stringify(value).includes("__proto__"))
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** Text that may stand in an attribute. */
const attributeText = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((value) => value.isWellFormed() && !/\p{Cc}/u.test(value));
const name = fc.stringMatching(/^x[a-z0-9]{0,10}$/);

const payload = fc.oneof(
  json.map((value) => ({ data: JSON.stringify(value), datacontenttype: undefined })),
  text.map((data) => ({ data, datacontenttype: "text/plain" })),
  fc.uint8Array().map((data) => ({ data, datacontenttype: "application/octet-stream" })),
  fc.constant({ data: undefined, datacontenttype: undefined }),
);

const record: fc.Arbitrary<EventRecord> = fc
  .record({
    id: attributeText,
    source: attributeText,
    type: fc.stringMatching(/^[a-z.]{1,20}$/),
    timeMs: fc.date({
      noInvalidDate: true,
      min: new Date("0000-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
    }),
    key: fc.option(attributeText),
    attributes: fc.dictionary(name, attributeText, { maxKeys: 4, noNullPrototype: true }),
    subject: fc.option(attributeText),
    payload,
  })
  .map(({ timeMs, attributes, subject, payload: { data, datacontenttype }, ...rest }) => {
    const all = { ...attributes, ...(subject && { subject }), ...(datacontenttype && { datacontenttype }) };
    return {
      ...rest,
      timeMs: timeMs.getTime(),
      attributes: Object.keys(all).length === 0 ? undefined : all,
      data,
    };
  });

describe("for any input", () => {
  it("JSON comes out of decode as it went into encode", () => {
    fc.assert(
      fc.property(json, (value) => {
        const [event] = decode(publish(Anything, value), Anything, defaultLimits);
        assert.deepEqual(event?.data, value);
      }),
      { numRuns: 1000 },
    );
  });

  it("the length in UTF-8 is what an encoder makes", () => {
    const fragment = fc.oneof(text, fc.string({ unit: "grapheme" }), fc.constantFrom("\ud83c", "\udf89", "é", "x"));
    const long = fc.tuple(fragment, fc.nat(6000), fragment).map(([a, count, b]) => a.repeat(count) + b);
    fc.assert(
      fc.property(fc.oneof(fragment, long), (value) => {
        assert.equal(utf8Length(value), Buffer.byteLength(value));
      }),
      { numRuns: 1000 },
    );
  });

  it("a record comes back from structured JSON as it was", () => {
    fc.assert(
      fc.property(record, (before) => {
        const wire = JSON.stringify(cloudEventJson(before));
        assert.deepEqual(recordFromCloudEvent(JSON.parse(wire)), before);
      }),
      { numRuns: 1000 },
    );
  });

  it("what comes from outside is read or refused with a code", () => {
    const members = fc.dictionary(
      fc.oneof(name, fc.constantFrom("id", "source", "type", "time", "data")),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.oneof(members, fc.jsonValue()), (members) => {
        const event = typeof members === "object" ? Object.assign({ specversion: "1.0" }, members) : members;
        try {
          recordFromCloudEvent(event, { timeMs: 0 });
        } catch (error) {
          assert.match((error as { code: string }).code, /^TIDINGS_(INVALID_INPUT|EVENT_|FORBIDDEN_)/);
        }
      }),
    );
  });

  it("the payload hash is that of the same text in bytes", () => {
    fc.assert(
      fc.property(record, (before) => {
        const data = typeof before.data === "string" ? new TextEncoder().encode(before.data) : before.data;
        assert.equal(payloadHash({ ...before, data }), payloadHash(before));
      }),
    );
  });
});
