import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runHarness, size } from "./harness.ts";

describe("npm run sim", () => {
  it("finds no invariant broken in any seed", async () => {
    const seeds = size(2000, 40);
    const found = await runHarness("sim", ["--seeds", String(seeds)]);
    assert.equal(found["violations"], 0);
    assert.equal(found["seeds"], seeds);
    assert.ok((found["steps"] as number) >= seeds * 2500, JSON.stringify(found));
    assert.ok((found["faults"] as number) >= seeds * 10, JSON.stringify(found));
  });
});
