import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { collections } from "../../../src/delivery/records.ts";
import { assertExact, begin, broken, effects, untilOver } from "./support.ts";

const count = 10_000;
/** 5 % still fail. */
const stillFails = (n: number): boolean => n % 20 === 7;

describe("a redrive of 10,000 dead letters of which 5 % still fail, with abort at 2 %", () => {
  it("stops within one batch, loses nothing, and reports exactly", async () => {
    const { kit, how } = await broken(count);
    await using _ = kit;
    how.fails = stillFails;
    const { id } = await begin(kit, { subscription: "worker" }, { ramp: [1, 10, 100, 500], abort: { share: 0.02 } });
    const report = await untilOver(kit, id);
    assert.equal(report.state, "aborted");
    assert.match(report.log.find(({ what }) => what === "aborted")?.reason ?? "", /have failed again, more than 2 %/);
    await assertExact(kit, report);
    // The share is passed in the third batch, and nothing of a fourth was begun.
    assert.deepEqual([report.batches, report.moved, report.underWay], [3, 111, 0]);
    assert.equal(report.failedAgain, how.begun.filter(stillFails).length);
    assert.equal(report.succeeded, how.done.length);
    assert.deepEqual([report.moved, report.covered, report.skipped], [how.begun.length, count, 0]);
    // Whatever did not succeed is a dead letter as before; each event is in one place.
    const left = await kit.deadLetters();
    assert.equal(left.length, count - report.succeeded);
    assert.ok(left.every(({ state }) => state === "open"));
    assert.equal(left.filter(({ redrives }) => redrives === 1).length, report.failedAgain);
    assert.equal(await kit.app.admin.deadLetters.count({ redrive: id }), report.failedAgain);
    const parsed = left.map(({ record }) => (JSON.parse(record.data ?? "") as { n: number }).n);
    assert.equal(new Set([...parsed, ...how.done]).size, count);
    assert.equal(await kit.app.engine.state?.count(collections.redriveItems), 0);
  });

  it("does the same when whoever drives it is killed in the middle, again and again", async () => {
    const { kit, how } = await broken(2000);
    await using _ = kit;
    how.fails = (n) => n % 20 === 7 && n > 1000;
    const { id } = await begin(
      kit,
      { subscription: "worker" },
      { ramp: [1, 10, 50], abort: { share: 0.02, minimum: 200 } },
    );
    for (let kills = 0; kills < 12; kills++) {
      await kit.advance(kills * 37 + 20);
      if ((await kit.app.admin.redrives.show(id)).endedAtMs !== undefined) break;
      if (kills % 3 === 2) await kit.crash({ at: kills % 2 === 0 ? "before-commit" : "after-commit" });
      else await kit.crash();
    }
    const report = await untilOver(kit, id);
    assert.ok(kit.crashes >= 4, String(kit.crashes));
    assert.equal(report.state, "aborted");
    await assertExact(kit, report);
    const left = await kit.deadLetters();
    assert.equal(left.length, 2000 - report.succeeded);
    assert.equal(await kit.app.engine.state?.count(collections.intents), 0);
    // Effects through the unit of work happened once, though handlers may have run more than once.
    const times = await effects(kit);
    assert.equal(times.length, report.succeeded);
    assert.ok(times.every((each) => each === 1));
    const failed = left.filter(({ redrives }) => redrives > 0);
    assert.equal(failed.length, report.failedAgain);
    assert.ok(failed.every(({ redrives, redrive }) => redrives === 1 && redrive?.operation === id));
  });
});
