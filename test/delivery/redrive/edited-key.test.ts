import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { topic } from "tidings";
import { z } from "zod";
import type { DeadLetter, RecordDocument } from "../../../src/delivery/records.ts";
import { checkEditedKey, checkEditedKeyByLooks } from "../../../src/delivery/redrive/edited-key.ts";

const orders = topic("orders", {
  key: (data: { a: string; b: string }) => (data.a === "" ? null : `${data.a}-${data.b}`),
});
const Placed = orders.event("placed", { data: z.object({ a: z.string(), b: z.string() }) });
const Keyless = topic("keyless").event("noted", { data: z.object({ a: z.string() }) });

const letter = (key: string | null, data: string): DeadLetter =>
  ({ id: "1", key, record: { data } as RecordDocument }) as DeadLetter;
const copy = (data: unknown): RecordDocument => ({ data: JSON.stringify(data) }) as RecordDocument;
const refusal = { code: "TIDINGS_KEY_CHANGED" };

describe("the key of an edited copy", () => {
  it("is asked of the topic, however it is made", () => {
    const before = letter("x-y", '{"a":"x","b":"y"}');
    checkEditedKey(before, copy({ a: "x", b: "y", more: 1 }), Placed);
    assert.throws(() => checkEditedKey(before, copy({ a: "x", b: "z" }), Placed), refusal);
    assert.throws(() => checkEditedKey(before, copy({ a: "", b: "y" }), Placed), refusal);
    assert.throws(() => checkEditedKey(letter(null, '{"a":"","b":"y"}'), copy({ a: "x", b: "y" }), Placed), refusal);
    checkEditedKey(letter("k", '{"a":"x"}'), copy({ a: "y" }), Keyless);
  });

  it("may be anything where the publisher gave a key of its own", () => {
    checkEditedKey(letter("given", '{"a":"x","b":"y"}'), copy({ a: "x", b: "z" }), Placed);
  });

  it("must be that of the event where the payload could not be read", () => {
    const broken = letter("x-y", '{"a":"x"');
    checkEditedKey(broken, copy({ a: "x", b: "y" }), Placed);
    assert.throws(() => checkEditedKey(broken, copy({ a: "x", b: "z" }), Placed), refusal);
  });

  it("is told by its looks where nobody knows how it is made", () => {
    const nested = letter("7", '{"order":{"id":7},"lines":[{"count":7}]}');
    checkEditedKeyByLooks(nested, copy({ order: { id: 7 }, lines: [] }));
    checkEditedKeyByLooks(nested, copy({ order: { id: 8 }, lines: [{ count: 7 }] }));
    assert.throws(() => checkEditedKeyByLooks(nested, copy({ order: { id: 8 }, lines: [] })), refusal);
    checkEditedKeyByLooks(letter("x-y", '{"a":"x","b":"y"}'), copy({ a: "x", b: "z" }));
    checkEditedKeyByLooks(letter("x", "no json"), copy({ a: "x" }));
    checkEditedKeyByLooks(letter(null, '{"a":"x"}'), copy({ a: "y" }));
  });
});
