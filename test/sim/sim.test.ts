import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Engine } from "../../src/ports/engine.ts";
import { type InvariantId, simulate } from "tidings/testing";
import { ownSimulation } from "../../scripts/sim/workload.ts";
import { checkSimulation } from "../../src/testing/sim/options.ts";
import { runSeed } from "../../src/testing/sim/run-seed.ts";
import { small } from "./support.ts";

const whole = { keep: undefined, events: undefined };

describe("the simulation", () => {
  it("finds nothing in a service that does what it should, whatever fails", async () => {
    const report = await simulate({ ...small, seeds: 20 });
    assert.deepEqual(report.failed, []);
    assert.equal(report.seeds, 20);
    assert.ok(report.steps > 10_000, String(report.steps));
    assert.ok(report.acknowledged >= 200, String(report.acknowledged));
    assert.ok(Object.keys(report.faults).length > 12, JSON.stringify(report.faults));
  });

  it("finds nothing in the workload of the repository", async () => {
    const { failed } = await simulate({ ...ownSimulation, seed: 1, seeds: 12, shrinkRunsMax: 0 });
    assert.deepEqual(failed, []);
  });

  it("gives the same trace hash for the same seed, and another one for another seed", async () => {
    const options = checkSimulation(ownSimulation);
    const traces = new Set<string>();
    for (const seed of [3, 4, 5]) {
      const [first, second] = [await runSeed(options, { seed, ...whole }), await runSeed(options, { seed, ...whole })];
      assert.equal(first.trace, second.trace);
      assert.equal(first.steps, second.steps);
      traces.add(first.trace);
    }
    assert.equal(traces.size, 3);
  });

  it("runs without faults when none are allowed", async () => {
    const report = await simulate({ ...small, seeds: 3, faults: [] });
    assert.deepEqual(report.faults, {});
    assert.deepEqual(report.neverFired, []);
    assert.deepEqual(report.failed, []);
  });

  it("says which kinds of faults never happened", async () => {
    // Nobody has dead letters where nothing is published but one event that succeeds.
    const report = await simulate({ ...small, seeds: 1, events: 1, faults: ["seek"], seed: 2 });
    assert.deepEqual(report.neverFired, ["seek"]);
  });

  it("says that a run in which nothing was acknowledged shows nothing", async () => {
    const { failed } = await simulate({ ...small, seeds: 1, workload: async () => undefined, shrinkRunsMax: 0 });
    assert.deepEqual(failed.map(({ violations }) => violations[0]?.invariant), ["VACUOUS"]); // prettier-ignore
  });

  it("refuses a seed of another version, a seed that is none, and a fault that is unknown", async () => {
    await assert.rejects(simulate({ ...small, seed: "99-000001" }), /seed 99-000001 is of version 99/);
    await assert.rejects(simulate({ ...small, seed: "x" }), /is no seed/);
    await assert.rejects(simulate({ ...small, faults: ["crsh"] }), /did you mean "crash".*pause/);
    await assert.rejects(simulate({ ...small, seeds: 0 }), /whole number/);
    await assert.rejects(simulate({ ...small, workload: undefined as never }), /needs a workload/);
  });
});

/** Engines that do what an engine must not, one way each, with what must be found. */
const planted: Record<string, { readonly found: readonly string[]; readonly wrap: (engine: Engine) => Engine }> = {
  "acknowledges before it has written": {
    found: ["I1"],
    wrap: (engine) => ({
      ...engine,
      topics: {
        ...engine.topics,
        publish: (entries) => {
          engine.topics.publish(entries).catch(() => undefined);
          return Promise.resolve(entries.map((_, position) => ({ position, duplicate: false })));
        },
      },
    }),
  },
  "forgets the fences": {
    found: ["I10"],
    wrap: (engine) => ({ ...engine, transact: (given) => transact(engine)({ ...given, fences: [] }) }),
  },
  "does not look at what was read": {
    found: ["I8", "I9", "P3", "I11", "OWN"],
    wrap: (engine) => ({ ...engine, transact: (given) => transact(engine)({ ...given, checks: [] }) }),
  },
  "writes documents and not what is published with them": {
    found: ["I7"],
    wrap: (engine) => ({
      ...engine,
      transact: ({ publish = [], ...rest }) => transact(engine)({ ...rest, publish: publish.slice(1) }),
    }),
  },
};

const transact = (engine: Engine): NonNullable<Engine["transact"]> => (engine.transact as NonNullable<Engine["transact"]>).bind(engine); // prettier-ignore

describe("a planted fault is found: an engine that", () => {
  for (const [what, { found, wrap }] of Object.entries(planted)) {
    it(what, async () => {
      const simulation = what.startsWith("does not look") ? ownSimulation : small;
      const { failed } = await simulate({ ...simulation, seeds: 25, wrapEngine: wrap, shrinkRunsMax: 0 });
      const seen = new Set(failed.flatMap(({ violations }) => violations.map(({ invariant }) => invariant)));
      assert.ok(found.some((id) => seen.has(id as InvariantId)), `${found.join()} against ${[...seen].join()}`); // prettier-ignore
    });
  }

  it("is shrunk to fewer faults and events, which fail again", async () => {
    const wrapEngine = (planted["acknowledges before it has written"] as (typeof planted)[string]).wrap;
    const options = { ...small, seeds: 25, wrapEngine, shrinkRunsMax: 20 };
    const { failed } = await simulate(options);
    const shrunk = failed.find(({ keep }) => keep !== undefined);
    assert.ok(shrunk?.keep, JSON.stringify(failed.map(({ seed, keep, events }) => [seed, keep, events])));
    const { seed, keep, events } = shrunk;
    const again = await simulate({ ...options, seeds: 1, seed, keep, ...(events === undefined ? {} : { events }), shrinkRunsMax: 0 }); // prettier-ignore
    assert.equal(again.failed.length, 1);
  });
});
