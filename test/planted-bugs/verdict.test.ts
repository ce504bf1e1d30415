import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { PlantedBug } from "../../scripts/planted-bugs/bug.ts";
import { verdictOf } from "../../scripts/planted-bugs/harness.ts";
import { controlBudgets, judgeBug, judgeControl, partsOf } from "../../scripts/planted-bugs/run.ts";

const bug: PlantedBug = {
  name: "slip",
  breaks: "It slips.",
  caughtBy: ["I8"],
  file: "src/a.ts",
  find: "one",
  replace: "two",
  budget: { harness: "sim", seeds: 10 },
};

const lines = (...of: readonly object[]): string => of.map((line) => `${JSON.stringify(line)}\n`).join("");

describe("the verdict of a harness", () => {
  it("is read from the lines of the simulator, one for each seed in which something was found", () => {
    const violations = [
      { invariant: "I8", message: "Done twice." },
      { invariant: "I9", message: "Out of order." },
    ];
    const last = { seeds: 2, steps: 10, violations: 3 };
    const verdict = verdictOf(
      lines({ seed: "1-1", violations }, { seed: "1-2", violations: [violations[0]] }, last),
      "",
      1,
    );
    assert.deepEqual(verdict, {
      violations: { I8: 2, I9: 1 },
      broken: undefined,
      words: ["I8: Done twice. (seed 1-1)", "I9: Out of order. (seed 1-1)", "I8: Done twice. (seed 1-2)"],
    });
    assert.deepEqual(verdictOf(lines({ seeds: 2, violations: 0 }), "", 0).violations, {});
  });

  it("is read from the last line of the crash harness and its standard error", () => {
    const verdict = verdictOf(
      lines({ kills: 3, invariants: { I8: 2 } }),
      "counter: kill 1 of 3\ncounter: I8: Done twice.\n",
      1,
    );
    assert.deepEqual(verdict.violations, { I8: 2 });
    assert.ok(verdict.words.includes("I8: Done twice."));
    assert.deepEqual(verdictOf(lines({ kills: 3, invariants: {} }), "", 0).violations, {});
  });

  it("is read from the last line of the power-cut harness and its standard error", () => {
    const told = "power-cut: the image 1.none.0 is wrong\npower-cut:   lost: the event 1\npower-cut:   a hole\n";
    const verdict = verdictOf(lines({ images: 3, lost: 2, violations: 1 }), told, 1);
    assert.deepEqual(verdict.violations, { LOST: 2, WRONG: 1 });
    assert.deepEqual(verdict.words, ["LOST: the event 1", "WRONG: a hole"]);
    assert.deepEqual(verdictOf(lines({ images: 3, lost: 0, violations: 0 }), "", 0).violations, {});
  });

  it("is read from the last line of the chaos harness and its standard error, behind the time", () => {
    const last = { engine: "postgres", faults: 3, lost: 0, doubled: 2, invariants: { I8: 2 } };
    const verdict = verdictOf(lines(last), "postgres 1.5 s: kill\npostgres 61.0 s: I8: Done twice.\n", 1);
    assert.deepEqual(verdict.violations, { I8: 2 });
    assert.ok(verdict.words.includes("I8: Done twice."));
    assert.deepEqual(verdictOf(lines({ ...last, doubled: 0, invariants: {} }), "", 0).violations, {});
  });

  it("is none without a line, and where line and exit status disagree", () => {
    assert.match(verdictOf("", "at x\nSyntaxError: no such export\n", 1).broken ?? "", /without a result: SyntaxError/);
    assert.match(verdictOf(lines({ kills: 3, invariants: {} }), "", 1).broken ?? "", /it ended with 1/);
    assert.match(verdictOf(lines({ kills: 3, invariants: { I8: 1 } }), "", 0).broken ?? "", /it ended with 0/);
    assert.match(verdictOf(lines({ kills: 3, invariants: { I8: 1 } }), "", null).broken ?? "", /it ended with null/);
  });
});

describe("a bug", () => {
  const outcome = { violations: {}, broken: undefined, words: [], seconds: 1 };

  it("is found by a violation that fits, and by nothing else", () => {
    assert.equal(judgeBug(bug, { ...outcome, violations: { I8: 1, I9: 4 } }).found, true);
    assert.equal(judgeBug(bug, outcome).found, false);
    assert.equal(judgeBug(bug, { ...outcome, violations: { I9: 4 } }).found, false);
    assert.equal(judgeBug(bug, { ...outcome, broken: "it fell over" }).found, false);
  });

  it("is found by words only where it asks for them", () => {
    const wordy = { ...bug, inWords: /twice/ };
    const found = (words: readonly string[]): boolean =>
      judgeBug(wordy, { ...outcome, violations: { I8: 1 }, words }).found;
    assert.equal(found(["I8: Done twice."]), true);
    assert.equal(found(["I9: Done twice.", "I8: The ledger is wrong."]), false);
  });

  it("is looked for in parts of its seeds, and no part is tried twice", () => {
    const parts = partsOf({ harness: "sim", seeds: 50 }, 7);
    assert.deepEqual(
      parts.map(({ budget, seed, upTo }) => [seed, budget, upTo]),
      [
        [7, { harness: "sim", seeds: 20 }, { harness: "sim", seeds: 20 }],
        [27, { harness: "sim", seeds: 20 }, { harness: "sim", seeds: 40 }],
        [47, { harness: "sim", seeds: 10 }, { harness: "sim", seeds: 50 }],
      ],
    );
    const chaos = { harness: "chaos", engine: "postgres", runs: 2, scale: 1, events: 10, only: ["kill"] } as const;
    assert.deepEqual(
      partsOf(chaos, 7).map(({ budget, seed, upTo }) => [seed, budget, upTo]),
      [
        [7, { ...chaos, runs: 1 }, { ...chaos, runs: 1 }],
        [8, { ...chaos, runs: 1 }, chaos],
      ],
    );
    const images = { harness: "power-cut", images: 50 } as const;
    assert.deepEqual(partsOf(images, 7), [{ budget: images, seed: 7, upTo: images }]);
  });

  it("has a control run of its harness with the largest budget, which finds nothing", () => {
    const crash = { harness: "crash", scenario: "counter", kills: 5 } as const;
    assert.deepEqual(controlBudgets([bug.budget, crash, { harness: "sim", seeds: 30 }]), [
      { harness: "sim", seeds: 30 },
      crash,
    ]);
    const chaos = { harness: "chaos", engine: "postgres", runs: 2, scale: 0.1, events: 100, only: ["kill"] } as const;
    const others = [
      { ...chaos, scale: 0.4 },
      { ...chaos, only: ["cut"] },
    ] as const;
    assert.deepEqual(controlBudgets([chaos, ...others]), others);
    assert.equal(judgeControl(crash, outcome).good, true);
    assert.equal(judgeControl(crash, { ...outcome, violations: { I1: 1 } }).good, false);
    assert.equal(judgeControl(crash, { ...outcome, broken: "it fell over" }).good, false);
  });
});
