import assert from "node:assert/strict";
import { test } from "node:test";

import { choosePoisoned, plannedFailures } from "../../examples/shop/faults.ts";

const events = Array.from({ length: 20_000 }, (_, index) => `event-${index}`);

test("failures are planned from the name of the event alone, and never too many to get through", () => {
  for (const event of events.slice(0, 500)) {
    assert.equal(plannedFailures(event, 0.5), plannedFailures(event, 0.5));
    assert.ok(plannedFailures(event, 1) <= 3);
    assert.equal(plannedFailures(event, 0), 0);
  }
});

test("the share of tries that fail is about the rate", () => {
  for (const rate of [0.05, 0.3]) {
    const failing = events.filter((event) => plannedFailures(event, rate) > 0).length / events.length;
    assert.ok(Math.abs(failing - rate) < 0.01, `${failing} of ${rate}`);
    const twice = events.filter((event) => plannedFailures(event, rate) > 1).length / events.length;
    assert.ok(Math.abs(twice - rate * rate) < 0.01, `${twice} of ${rate * rate}`);
  }
});

test("as many orders are poisoned as asked, and the same ones each time", () => {
  const chosen = choosePoisoned(events, 7, 1);
  assert.equal(chosen.size, 7);
  assert.deepEqual(choosePoisoned(events.toReversed(), 7, 1), chosen);
  assert.notDeepEqual(choosePoisoned(events, 7, 2), chosen);
  assert.equal(choosePoisoned(events.slice(0, 3), 7, 1).size, 3);
});
