import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";

import { Row } from "../../../src/engines/broker/row.ts";

describe("a row of things under numbers", () => {
  it("does what a map with rising numbers does, whatever is added, deleted and cleared", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ add: fc.string() }) },
      { weight: 4, arbitrary: fc.record({ remove: fc.nat() }) },
      { weight: 3, arbitrary: fc.constant({ first: true }) },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const row = new Row<string>();
        const model = new Map<number, string>();
        let last = 0;
        const remove = (number: number): void => assert.equal(row.delete(number), model.delete(number));
        for (const each of steps) {
          if ("add" in each) {
            const number = row.add(each.add);
            assert.ok(number > last, "numbers rise");
            model.set((last = number), each.add);
          } else if ("remove" in each) remove(each.remove % (last + 2));
          else if ("first" in each) for (const number of Array.from(model.keys()).slice(0, 1)) remove(number);
          else {
            row.clear();
            model.clear();
          }
          assert.equal(row.size, model.size);
          assert.equal(row.first, model.values().next().value);
        }
        assert.deepEqual(Array.from(row.values()), Array.from(model.values()));
        for (let number = 0; number <= last + 1; number++) assert.equal(row.get(number), model.get(number));
      }),
    );
  });

  it("lets go of the places of what has gone, while some stays", () => {
    const row = new Row<number>();
    const kept = row.add(-1);
    for (let n = 0; n < 10_000; n++) assert.ok(row.delete(row.add(n)));
    assert.deepEqual([row.size, row.get(kept)], [1, -1]);
    assert.ok(row.delete(kept));
    const next = row.add(7);
    assert.deepEqual([row.size, row.get(next), Array.from(row.values())], [1, 7, [7]]);
  });
});
