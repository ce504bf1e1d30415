import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StoredRecord } from "../../src/event/record.ts";
import { effectsOf, Names } from "../../src/testing/sim/final-reads.ts";

const record = (position: number, id: string): StoredRecord => ({
  topic: "work", partition: 0, position, id, source: "/sim", type: "worked", key: "k", data: "{}", appendedAtMs: 0,
}) as StoredRecord; // prettier-ignore

/** One that stands twice, with another one in between and one behind. */
const names = new Names([record(0, "twice"), record(1, "between"), record(2, "twice"), record(3, "behind")]);

const effect = (event: string, run: number) => ({ subscription: "inbox/work", name: "published", event, key: null, run }); // prettier-ignore
const eventsOf = (...parts: Parameters<typeof effectsOf>): readonly string[] =>
  effectsOf(...parts).map(({ event }) => event);

describe("effects of an id that stands twice in a topic", () => {
  it("are those of the first event, then of the second", () => {
    const effects = [effect("twice", 1), effect("between", 1), effect("twice", 1)];
    const starts = new Map([["inbox/work 0 1", 0]]);
    assert.deepEqual(eventsOf({ effects, starts }, names), ["/sim twice", "/sim between", "/sim twice (2)"]);
  });

  it("are those of the second event in a run that a seek began behind the first", () => {
    const effects = [effect("twice", 1), effect("between", 2), effect("twice", 2)];
    const starts = new Map([["inbox/work 0 1", 0], ["inbox/work 0 2", 1]]); // prettier-ignore
    assert.deepEqual(eventsOf({ effects, starts }, names), ["/sim twice", "/sim between", "/sim twice (2)"]);
  });

  it("are those of the first event again in a run that a seek began before it", () => {
    const effects = [effect("twice", 1), effect("twice", 2)];
    const starts = new Map([["inbox/work 0 1", 0], ["inbox/work 0 2", 0]]); // prettier-ignore
    assert.deepEqual(eventsOf({ effects, starts }, names), ["/sim twice", "/sim twice"]);
  });
});
