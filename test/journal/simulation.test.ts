import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Ran, runSeed } from "./sim/run.ts";

/** More, by hand: TIDINGS_SEEDS=1000. */
const seeds = Number(process.env["TIDINGS_SEEDS"] ?? 40);
const longSeeds = Math.ceil(seeds / 20);

async function run(from: number, count: number, isLong: boolean): Promise<readonly Ran[]> {
  const all: Ran[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const ran = await runSeed(seed, isLong);
    assert.deepEqual(ran.problems, [], `seed ${seed}${isLong ? ", long" : ""}`);
    all.push(ran);
  }
  return all;
}

const sum = (all: readonly Ran[], name: "done" | "unknown" | "refused" | "removed"): number =>
  all.reduce((total, ran) => total + ran[name], 0);

describe(
  "a journal in simulations of a log that refuses, forgets to answer, and writes late and twice",
  { timeout: 900_000 },
  () => {
    it("tells each member what the log comes to, whatever dies, stands still and is removed", async () => {
      const all = await run(1, seeds, false);
      for (const name of ["done", "unknown", "refused", "removed"] as const) assert.ok(sum(all, name) > 0, name);
    });

    it("does so over thousands of commands, when its own snapshots let their front be removed", async () => {
      const all = await run(1, longSeeds, true);
      assert.ok(sum(all, "removed") > 0);
    });

    it("runs the same for the same seed", async () => {
      assert.deepEqual(await runSeed(7, false), await runSeed(7, false));
    });
  },
);
