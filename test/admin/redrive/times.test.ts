import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { begin, broken, untilOver } from "./support.ts";

describe("the times of a dead letter", () => {
  it("tell when it failed first, was given up and failed last, also after redrives that failed", async () => {
    const { kit } = await broken(1);
    await using _ = kit;
    const [before] = await kit.deadLetters();
    const start = before!.parkedAtMs;
    assert.deepEqual([before!.tries.firstFailedAtMs, before!.lastFailedAtMs], [start, start]);
    for (const redrives of [1, 2]) {
      await kit.advance("1h");
      const lastMs = kit.clock.now();
      await untilOver(kit, (await begin(kit, { subscription: "worker" })).id);
      const [after] = await kit.deadLetters();
      assert.deepEqual([after!.redrives, after!.tries.firstFailedAtMs, after!.parkedAtMs], [redrives, start, start]);
      assert.ok(after!.lastFailedAtMs >= lastMs);
      assert.equal(after!.tries.failures, 1);
    }
  });
});
