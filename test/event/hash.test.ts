import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { payloadHash } from "../../src/event/hash.ts";
import { recordOf } from "./support.ts";

describe("the payload hash", () => {
  it("never changes, for it is stored", () => {
    assert.equal(payloadHash(recordOf({ type: "a", key: "k", data: "{}" })), "744de4caa3376d82");
    assert.equal(payloadHash(recordOf({ type: "ü", key: null, data: undefined })), "a935676cf34d0a2f");
    assert.equal(payloadHash(recordOf({ data: "é語🎉".repeat(5000) })), "32fd3abf476eccb3");
  });

  it("tells type, key and data apart, also where they run together", () => {
    const records = [
      recordOf({ type: "ab", key: "c", data: "d" }),
      recordOf({ type: "a", key: "bc", data: "d" }),
      recordOf({ type: "a", key: "b", data: "cd" }),
      recordOf({ type: "a", key: null, data: "bcd" }),
      recordOf({ type: "a", key: "", data: "bcd" }),
      recordOf({ type: "a", key: null, data: undefined }),
      recordOf({ type: "a", key: null, data: "" }),
    ];
    assert.equal(new Set(records.map(payloadHash)).size, records.length);
  });

  it("does not look at id, source, time and attributes", () => {
    const other = recordOf({ id: "2", source: "/other", timeMs: 0, attributes: { subject: "s" } });
    assert.equal(payloadHash(other), payloadHash(recordOf()));
  });

  it("has no collision in 200,000 payloads that differ little", () => {
    const seen = new Set<string>();
    for (let count = 0; count < 200_000; count++) seen.add(payloadHash(recordOf({ data: `{"orderId":"${count}"}` })));
    assert.equal(seen.size, 200_000);
  });
});
