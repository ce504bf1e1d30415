import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { byCodeUnits, lowerBound, sortedList } from "../../src/lib/sorted-list.ts";

test("a sorted list holds what a sorted set would", () => {
  const step = fc.record({ remove: fc.boolean(), item: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(40), (steps, start) => {
      const list = sortedList<number>((a, b) => a - b);
      const model = new Set<number>();
      for (const { remove, item } of steps) {
        if (remove) assert.equal(list.delete(item), model.delete(item));
        else {
          list.add(item);
          model.add(item);
        }
      }
      const sorted = [...model].sort((a, b) => a - b);
      assert.equal(list.size(), model.size);
      assert.deepEqual([...list.from()], sorted);
      assert.deepEqual(
        [...list.from(start)],
        sorted.filter((item) => item >= start),
      );
    }),
  );
});

test("a sorted list of many items stays in order over its chunks", () => {
  const list = sortedList(byCodeUnits);
  const keys = Array.from({ length: 20_000 }, (_, i) => `key-${(i * 7919) % 20_000}`);
  for (const key of keys) list.add(key);
  for (const key of keys.slice(0, 15_000)) assert.ok(list.delete(key));
  assert.deepEqual([...list.from()], keys.slice(15_000).sort());
});

test("the same item again replaces the first", () => {
  const list = sortedList<{ at: number; name: string }>((a, b) => a.at - b.at);
  list.add({ at: 1, name: "first" });
  list.add({ at: 1, name: "second" });
  assert.deepEqual([...list.from()], [{ at: 1, name: "second" }]);
  assert.equal(list.size(), 1);
});

test("a lower bound is the first place that does not stand before", () => {
  const bound = (at: number): number => lowerBound([1, 3, 3, 5], (item) => item - at);
  assert.deepEqual([bound(0), bound(1), bound(3), bound(4), bound(5), bound(6)], [0, 0, 1, 3, 3, 4]);
});
