// Kinds of faults that came after the first seeds.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulate } from "tidings/testing";
import { ownSimulation } from "../../scripts/sim/workload.ts";
import { allFaultKinds, isFirstKind } from "../../src/testing/sim/fault-kinds.ts";
import { drawFaults } from "../../src/testing/sim/fault-plan.ts";
import { drawSwarm } from "../../src/testing/sim/swarm.ts";

const first = allFaultKinds.filter(isFirstKind);
const later = allFaultKinds.filter((kind) => !isFirstKind(kind));
const seeds = Array.from({ length: 200 }, (_, i) => i + 1);

describe("a kind of faults that came later", () => {
  it("leaves everything else of a seed as it was", () => {
    for (const seed of seeds) {
      const { kinds, ...swarm } = drawSwarm(seed, allFaultKinds, false);
      const { kinds: before, ...was } = drawSwarm(seed, first, false);
      assert.deepEqual([kinds.filter(isFirstKind), swarm], [before, was]);
      const old = drawFaults(seed, { ...was, kinds: before });
      const plan = drawFaults(seed, { ...swarm, kinds });
      assert.deepEqual(
        plan.filter(({ kind }) => isFirstKind(kind)),
        old,
      );
    }
  });

  it("happens in about a quarter of the seeds, and in all when it is asked for alone", () => {
    for (const kind of later) {
      const count = seeds.filter((seed) => drawSwarm(seed, allFaultKinds, false).kinds.includes(kind)).length;
      assert.ok(count > 30 && count < 75, `${kind} in ${count} of ${seeds.length} seeds`);
      for (const seed of seeds) assert.deepEqual(drawSwarm(seed, [kind], false).kinds, [kind]);
    }
  });

  it("finds nothing in the workload of the repository, and happens", async () => {
    const report = await simulate({ ...ownSimulation, seeds: 8, faults: later, shrinkRunsMax: 0 });
    assert.deepEqual([report.failed, report.neverFired], [[], []]);
  });
});
