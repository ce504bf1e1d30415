import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { draftOf } from "../../../src/engines/sql/draft.ts";
import { Tail } from "../../../src/engines/sql/tail.ts";
import { entry } from "../records.ts";

const place = { topic: "orders", partition: 0 };

/** Keeps events `first`.. of a log, as a commit would. */
function append(tail: Tail, first: number, count: number, { log = 1, sentAt = tail.news(), pad = 0 } = {}): void {
  const drafts = Array.from({ length: count }, (_, index) => {
    const { record } = entry(first + index);
    const data = JSON.stringify({ n: first + index, pad: "x".repeat(pad) });
    return draftOf({ topic: "orders", partition: 0, record: { ...record, data } }, 1 << 20);
  });
  tail.add({ log, first, drafts, appendedAtMs: 1000 + first }, place, sentAt);
}

/** The numbers of the events that are kept from a position on. */
function numbers(tail: Tail, from: number, log = 1): number[] {
  const found: number[] = [];
  for (let chunk = tail.at(log, from); chunk; chunk = tail.at(log, from + found.length))
    for (let at = from + found.length; at <= chunk.last; at++)
      found.push((JSON.parse(String(chunk.record(at - chunk.first).data)) as { n: number }).n);
  return found;
}

describe("what a process has appended itself", () => {
  it("is given in order, from any position that is kept, with what a read of the store gives", () => {
    const tail = new Tail();
    append(tail, 5, 3);
    append(tail, 8, 2);
    append(tail, 100, 1, { log: 2 });
    assert.deepEqual(numbers(tail, 5), [5, 6, 7, 8, 9]);
    assert.deepEqual(numbers(tail, 7), [7, 8, 9]);
    assert.deepEqual(numbers(tail, 4), []);
    assert.deepEqual([tail.endsAt(1, 9), tail.endsAt(1, 10), tail.endsAt(2, 101), tail.endsAt(3, 0)], [false, true, true, false]); // prettier-ignore
    const { record } = entry(6);
    assert.deepEqual(tail.at(1, 6)?.record(1), {
      ...record, ...place, data: '{"n":6,"pad":""}', position: 6, appendedAtMs: 1005,
    }); // prettier-ignore
  });

  it("has every kind of payload, and attributes, as they were published", () => {
    const tail = new Tail();
    const bytes = new Uint8Array([0, 255, 10]);
    const payloads = ["{\n}", "no JSON", bytes, undefined];
    const attributes = { traceparent: "00-1" };
    const drafts = payloads.map((data, n) =>
      draftOf({ topic: "orders", partition: 0, record: { ...entry(n).record, data, attributes } }, 1 << 20),
    );
    tail.add({ log: 1, first: 0, drafts, appendedAtMs: 1 }, place, tail.news());
    bytes[0] = 7;
    const records = payloads.map((_, n) => tail.at(1, n)?.record(n));
    assert.deepEqual(records.map((record) => record?.data), ["{\n}", "no JSON", new Uint8Array([0, 255, 10]), undefined]); // prettier-ignore
    assert.deepEqual(records.map((record) => record?.attributes), payloads.map(() => attributes)); // prettier-ignore
  });

  it("is forgotten where others have appended in between, and whenever something is heard of them", () => {
    const tail = new Tail();
    append(tail, 0, 2);
    append(tail, 5, 2);
    assert.deepEqual([numbers(tail, 0), numbers(tail, 5)], [[], [5, 6]]);
    const sentAt = tail.news();
    tail.forget();
    assert.deepEqual([numbers(tail, 5), tail.endsAt(1, 7)], [[], false]);
    append(tail, 7, 1, { sentAt });
    assert.equal(tail.endsAt(1, 8), false, "others may stand behind what was sent before the news came");
    append(tail, 8, 1);
    assert.equal(tail.endsAt(1, 9), true);
  });

  it("is not forgotten for a look that shows nothing but what is known", () => {
    const tail = new Tail();
    tail.looked([{ log: 1, first: 0, next: 5 }]);
    const sentAt = tail.news();
    append(tail, 5, 2);
    tail.looked([{ log: 1, first: 0, next: 6 }]);
    tail.looked([{ log: 1, first: 0, next: 7 }]);
    append(tail, 7, 1, { sentAt });
    assert.deepEqual([numbers(tail, 5), tail.endsAt(1, 8)], [[5, 6, 7], true]);
  });

  it("is forgotten for a look that shows events of others, another beginning or another log", () => {
    for (const head of [
      { log: 1, first: 0, next: 8 },
      { log: 1, first: 6, next: 7 },
      { log: 2, first: 0, next: 0 },
    ]) {
      const tail = new Tail();
      tail.looked([{ log: 1, first: 0, next: 5 }]);
      const sentAt = tail.news();
      append(tail, 5, 2);
      tail.looked([head]);
      assert.deepEqual([numbers(tail, 5), tail.endsAt(1, 7)], [[], false]);
      append(tail, 7, 1, { sentAt });
      assert.equal(tail.endsAt(1, 8), false, "others may stand behind what was sent before the look");
    }
  });

  it("does not take for news what was appended and not kept", () => {
    const tail = new Tail();
    tail.looked([{ log: 1, first: 0, next: 0 }]);
    const sentAt = tail.news();
    tail.forget();
    append(tail, 0, 1, { sentAt });
    append(tail, 1, 1);
    tail.looked([{ log: 1, first: 0, next: 2 }]);
    assert.deepEqual([numbers(tail, 0), numbers(tail, 1)], [[], [1]]);
  });

  it("is kept up to a mebibyte, the newest of all logs", () => {
    const tail = new Tail();
    append(tail, 0, 1, { log: 2, pad: 1000 });
    for (let n = 0; n < 3000; n += 10) append(tail, n, 10, { pad: 1000 });
    assert.deepEqual(numbers(tail, 0, 2), []);
    const kept = Array.from({ length: 3000 }, (_, n) => tail.at(1, n)).filter((chunk) => chunk !== undefined).length;
    assert.ok(kept > 900 && kept < 1050, `${kept} events are kept`);
    assert.equal(numbers(tail, 3000 - kept).length, kept);
    for (let n = 0; n < 3000; n += 10) append(tail, n, 10, { log: 3, pad: 1000 });
    assert.deepEqual(numbers(tail, 2990), []);
  });

  it("is kept up to 16 mebibytes where a reader has it still before it", () => {
    const tail = new Tail();
    const fill = (from: number, to: number): void => {
      for (let n = from; n < to; n += 100) append(tail, n, 100, { pad: 1000 });
    };
    tail.at(1, 0);
    fill(0, 10_000);
    assert.equal(tail.at(1, 0)?.first, 0);
    tail.at(1, 5050);
    fill(10_000, 10_100);
    assert.deepEqual([tail.at(1, 4999), tail.at(1, 5000)?.first], [undefined, 5000], "what is passed is dropped");
    fill(10_100, 30_000);
    assert.equal(tail.at(1, 10_000), undefined);
    assert.equal(tail.at(1, 16_000)?.first, 16_000);
  });

  it("is kept of no more than 8,192 commits, however small they are", () => {
    const tail = new Tail();
    for (let n = 0; n < 9000; n++) append(tail, n, 1);
    assert.deepEqual([numbers(tail, 807), numbers(tail, 808).length], [[], 8192]);
  });
});
