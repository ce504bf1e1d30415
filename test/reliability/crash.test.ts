import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runHarness, size } from "./harness.ts";

describe("npm run crash", () => {
  it("loses nothing, doubles nothing and reorders nothing in any scenario", async () => {
    const kills = size(45, 4);
    const found = await runHarness("crash", ["--kills", String(kills)]);
    const { lost, doubled, reordered, violations } = found;
    assert.deepEqual({ lost, doubled, reordered, violations }, { lost: 0, doubled: 0, reordered: 0, violations: 0 });
    assert.ok((found["kills"] as number) >= kills * 4, JSON.stringify(found));
    assert.ok((found["acknowledged"] as number) > 0);
  });
});
