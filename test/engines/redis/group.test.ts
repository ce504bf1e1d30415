import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { draftOf } from "../../../src/engines/redis/draft.ts";
import { type Call, eventsOf, takeCalls } from "../../../src/engines/redis/group.ts";
import { keysOf } from "../../../src/engines/redis/keys.ts";
import { entry } from "../records.ts";

const keys = keysOf({ prefix: "t", database: 0 });

/** Calls with so many events each. */
const calls = (...counts: readonly number[]): Call[] =>
  counts.map((count) => {
    const drafts = Array.from({ length: count }, (_, n) => draftOf(entry(n), keys, 1 << 20));
    const bytes = drafts.reduce((sum, draft) => sum + draft.bytes, 0);
    return { drafts, bytes, sinceMs: 0, resolve: () => undefined, reject: () => undefined };
  });
const limits = { groupEventsMax: 100, groupBytesMax: 1 << 20 };
const taken = (queue: readonly Call[], eventsMax: number, settings: Partial<typeof limits> = {}): number =>
  takeCalls(queue, { ...limits, ...settings } as never, eventsMax).length;

describe("a group of publishes to Redis", () => {
  it("is whole calls from the front, with no more events than asked for", () => {
    const queue = calls(10, 10, 10, 10);
    assert.equal(eventsOf(queue), 40);
    assert.equal(taken(queue, 20), 2);
    assert.equal(taken(queue, 29), 2);
    assert.equal(taken(queue, 30), 3);
    assert.equal(taken(queue, Infinity), 4);
  });

  it("has one call at least, however large, and never more than the settings say", () => {
    assert.equal(taken(calls(50, 1), 20), 1);
    assert.equal(taken(calls(60, 40, 1), Infinity), 2);
    const queue = calls(2, 2, 2);
    assert.equal(taken(queue, Infinity, { groupBytesMax: queue[0]!.bytes * 2 }), 2);
  });
});
