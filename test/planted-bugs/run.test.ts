import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";

import { catalogue } from "../../scripts/planted-bugs/catalogue.ts";
import { runAll } from "../../scripts/planted-bugs/run.ts";

const root = join(import.meta.dirname, "../..");

describe("the runner of planted bugs", { timeout: 300_000 }, () => {
  it("finds three bugs with the simulator, which finds nothing without them", async () => {
    const names = ["commit-without-fence", "filtered-not-counted", "resume-one-too-far"];
    const bugs = names.map((name) => {
      const bug = catalogue.find((each) => each.name === name);
      assert.ok(bug, name);
      return { ...bug, budget: { harness: "sim", seeds: 10 } } as const;
    });
    const said: string[] = [];
    const { bugs: results, controls } = await runAll({ root, bugs, seed: 1, jobs: 1, say: (text) => said.push(text) });
    assert.deepEqual(
      controls.map(({ good }) => good),
      [true],
      said.join("\n"),
    );
    assert.deepEqual(
      results.map(({ name, found }) => [name, found]),
      names.map((name) => [name, true]),
      said.join("\n"),
    );
    assert.equal(said.length, 4);
  });

  it("lets a bug survive that is none", async () => {
    const none = {
      name: "none",
      breaks: "Nothing.",
      caughtBy: ["I1"],
      file: "src/delivery/lanes/slots.ts",
      find: "/** How many deliveries may run at once. */",
      replace: "/** So many deliveries may run at once. */",
      budget: { harness: "sim", seeds: 2 },
    } as const;
    const { bugs: results } = await runAll({ root, bugs: [none], seed: 1, jobs: 1, say: () => undefined });
    assert.equal(results[0]?.found, false);
    assert.match(results[0]?.story ?? "", /SURVIVED .* nothing was found/);
  });
});
