import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";

import { several } from "../../src/event/contract.ts";
import { decode } from "../../src/event/decode.ts";
import { defaultLimits } from "../../src/event/limits.ts";
import { topic } from "../../src/event/topic.ts";
import { publish, recordOf, refusal } from "./support.ts";

const v1 = z.object({ id: z.string(), total: z.number() });
const v2 = z.object({ id: z.string(), cents: z.number() });
const v3 = z.object({ id: z.string(), money: z.object({ cents: z.number(), currency: z.string() }) });

function steps() {
  const First = topic("orders", { key: (data: { id: string }) => data.id }).event("placed", { data: v1 });
  const Second = First.version(2, { data: v2, upcast: ({ id, total }) => ({ id, cents: total * 100 }) });
  const Third = Second.version(3, { data: v3, upcast: ({ id, cents }) => ({ id, money: { cents, currency: "EUR" } }) });
  return { First, Second, Third };
}

const stored = (data: unknown, version?: string) =>
  recordOf({ type: "placed", data: JSON.stringify(data), attributes: version ? { dataversion: version } : undefined });

describe("an event type of three versions", () => {
  const { First, Second, Third } = steps();

  it("keeps all steps, and leaves the contracts of older versions as they were", () => {
    assert.deepEqual([First.dataVersion, Second.dataVersion, Third.dataVersion], [1, 2, 3]);
    assert.deepEqual(
      Third.steps.map(({ version }) => version),
      [1, 2, 3],
    );
    assert.equal(First.steps.length, 1);
  });

  it("is published in the newest, with the version where it is not the first", () => {
    assert.equal(publish(First, { id: "1", total: 5 }).attributes, undefined);
    const record = publish(Third, { id: "1", money: { cents: 500, currency: "EUR" } });
    assert.deepEqual(record.attributes, { dataversion: "3" });
    const caused = publish(Third, { id: "1", money: { cents: 500, currency: "EUR" } }, undefined, {
      cause: recordOf(),
    });
    assert.equal(caused.attributes?.["dataversion"], "3");
    refusal("TIDINGS_INVALID_PAYLOAD", () => publish(Third, { id: "1", total: 5 }));
  });

  it("is read from every version through the steps that follow", () => {
    const current = { id: "1", money: { cents: 500, currency: "EUR" } };
    for (const record of [
      stored({ id: "1", total: 5 }),
      stored({ id: "1", total: 5 }, "1"),
      stored({ id: "1", cents: 500 }, "2"),
      stored(current, "3"),
    ]) {
      const events = decode(record, Third, defaultLimits);
      assert.deepEqual(
        events.map(({ data }) => data),
        [current],
      );
      assert.equal(events[0]?.id, record.id);
    }
    assert.deepEqual(decode(stored({ id: "1", total: 5 }), Second, defaultLimits)[0]?.data, { id: "1", cents: 500 });
  });

  it("states the version in which the event was stored", () => {
    assert.equal(decode(stored({ id: "1", cents: 500 }, "2"), Third, defaultLimits)[0]?.dataversion, 2);
    assert.equal(decode(stored({ id: "1", total: 5 }), Third, defaultLimits)[0]?.dataversion, 1);
  });

  it("is refused in a version from the future, or one that is no number", () => {
    for (const version of ["4", "0", "-1", "1.5", "two", "NaN"]) {
      const error = refusal("TIDINGS_UNKNOWN_VERSION", () => decode(stored({}, version), Third, defaultLimits));
      assert.match(error.message, new RegExp(`id-1 of "placed" has data version ${version};.*versions 1 to 3`));
    }
    const error = refusal("TIDINGS_UNKNOWN_VERSION", () => decode(stored({}, "2"), First, defaultLimits));
    assert.match(error.message, /version 1 only/);
  });

  it("from the future is told as such even where its data cannot be read", () => {
    const record = recordOf({ data: "?", attributes: { dataversion: "9" } });
    refusal("TIDINGS_UNKNOWN_VERSION", () => decode(record, Third, defaultLimits));
  });

  it("is validated after the last step", () => {
    const error = refusal("TIDINGS_INVALID_PAYLOAD", () => decode(stored({ id: "1" }, "2"), Third, defaultLimits));
    assert.match(error.message, /version 3 .*on consume: data\.money\.cents/);
  });
});

describe("an upcaster", () => {
  const split = topic("orders")
    .event("placed", { data: z.object({ ids: z.array(z.string()) }) })
    .version(2, { data: z.object({ id: z.string() }), upcast: ({ ids }) => several(...ids.map((id) => ({ id }))) });
  const doubled = split.version(3, {
    data: z.object({ id: z.string(), half: z.number() }),
    upcast: ({ id }) => (id === "drop" ? several<never>() : several({ id, half: 1 }, { id, half: 2 })),
  });

  it("makes none or several events of one", () => {
    assert.deepEqual(decode(stored({ ids: [] }), split, defaultLimits), []);
    assert.deepEqual(
      decode(stored({ ids: ["a", "b"] }), split, defaultLimits).map(({ data }) => data),
      [{ id: "a" }, { id: "b" }],
    );
  });

  it("works on each event that the one before made", () => {
    assert.deepEqual(
      decode(stored({ ids: ["a", "drop", "b"] }), doubled, defaultLimits).map(
        ({ data: { id, half } }) => `${id}${half}`,
      ),
      ["a1", "a2", "b1", "b2"],
    );
  });

  it("may yield an array as one event's data", () => {
    const List = topic("orders")
      .event("placed", { data: z.string() })
      .version(2, { data: z.array(z.string()), upcast: (text) => text.split(",") });
    assert.deepEqual(decode(stored("a,b"), List, defaultLimits)[0]?.data, ["a", "b"]);
  });

  const failing = (upcast: () => unknown) =>
    topic("orders")
      .event("placed", { data: z.any() })
      .version(2, { data: z.any(), upcast })
      .version(3, { data: z.any(), upcast: (data: unknown) => data });

  it("that throws is named with its step", () => {
    const cause = new Error("no total");
    const Throws = failing(() => {
      throw cause;
    });
    const error = refusal("TIDINGS_UPCAST_FAILED", () => decode(stored({}), Throws, defaultLimits));
    assert.match(error.message, /upcaster of "placed" from version 1 to 2 threw: no total/);
    assert.deepEqual([error.details["from"], error.details["to"], error.cause], [1, 2, cause]);
    assert.equal(decode(stored({}, "2"), Throws, defaultLimits).length, 1);
  });

  it("that returns nothing or a Promise is refused", () => {
    const nothing = failing(() => undefined);
    assert.match(
      refusal("TIDINGS_UPCAST_FAILED", () => decode(stored({}), nothing, defaultLimits)).message,
      /several\(\)/,
    );
    const late = failing(() => Promise.reject(new Error("late")));
    assert.match(refusal("TIDINGS_UPCAST_FAILED", () => decode(stored({}), late, defaultLimits)).message, /Promise/);
  });
});

describe("a version", () => {
  it("follows the one before", () => {
    const { Second } = steps();
    const options = { data: v3, upcast: () => ({ id: "1", money: { cents: 1, currency: "EUR" } }) };
    for (const version of [1, 2, 4, 2.5]) {
      const error = refusal("TIDINGS_NO_UPCASTER", () => Second.version(version, options));
      assert.match(error.message, /does not follow version 2: add version 3 with its upcaster first/);
    }
  });

  it("has an upcaster and a schema", () => {
    const { First } = steps();
    const missing = refusal("TIDINGS_NO_UPCASTER", () => First.version(2, { data: v2 } as never));
    assert.match(missing.message, /has no upcaster: add `upcast: \(v1\) => v2`/);
    refusal("TIDINGS_INVALID_OPTION", () => First.version(2, { upcast: () => ({}) } as never));
    const typo = refusal("TIDINGS_INVALID_OPTION", () => First.version(2, { data: v2, upcats: () => ({}) } as never));
    assert.match(typo.message, /did you mean "upcast"\?/);
  });
});

describe("stored data that is no JSON", () => {
  const { First } = steps();

  it("is refused with the event's id", () => {
    const broken = recordOf({ data: '{"id":' });
    assert.match(
      refusal("TIDINGS_DECODE_FAILED", () => decode(broken, First, defaultLimits)).message,
      /id-1 .*not valid JSON/,
    );
    const text = recordOf({ data: "hello", attributes: { datacontenttype: "text/plain" } });
    assert.match(
      refusal("TIDINGS_DECODE_FAILED", () => decode(text, First, defaultLimits)).message,
      /not JSON but text\/plain/,
    );
    const bytes = recordOf({ data: new Uint8Array([0xff, 0xfe]) });
    refusal("TIDINGS_DECODE_FAILED", () => decode(bytes, First, defaultLimits));
  });

  it("is told from JSON in bytes and under other names", () => {
    const data = '{"id":"ü","total":5}';
    const bytes = recordOf({ data: new TextEncoder().encode(data) });
    assert.deepEqual(decode(bytes, First, defaultLimits)[0]?.data, { id: "ü", total: 5 });
    for (const datacontenttype of [
      "application/json; charset=utf-8",
      "Application/JSON",
      "text/json",
      "application/x+json",
    ]) {
      assert.equal(decode(recordOf({ data, attributes: { datacontenttype } }), First, defaultLimits).length, 1);
    }
  });

  it("may be nothing at all where the schema allows it", () => {
    const Ping = topic("pings").event("ping", { data: z.undefined() });
    assert.equal(decode(recordOf({ data: undefined }), Ping, defaultLimits)[0]?.data, undefined);
    refusal("TIDINGS_INVALID_PAYLOAD", () => decode(recordOf({ data: undefined }), First, defaultLimits));
  });
});
