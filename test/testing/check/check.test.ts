import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { check } from "../../../src/testing/check/check.ts";
import type { History, RedriveEnd } from "../../../src/testing/check/history.ts";
import { countFindings, type InvariantId, invariants } from "../../../src/testing/check/violation.ts";
import { log, publishes, sound } from "./histories.ts";

const [subscription] = sound.subscriptions as unknown as [(typeof sound.subscriptions)[0]];
const [p1, p2, ...others] = publishes as [(typeof publishes)[0], (typeof publishes)[0], ...typeof publishes];
const withSubscription = (change: object): Partial<History> => ({ subscriptions: [{ ...subscription, ...change }] });

const [redrive] = sound.redrives as unknown as [RedriveEnd];
const [bank] = sound.dependencies as unknown as [(typeof sound.dependencies)[0]];
const withRedrive = (change: Partial<RedriveEnd>): Partial<History> => ({ redrives: [{ ...redrive, ...change }] });

/** By what is broken: the invariant, and the change that breaks it. */
const broken: Record<string, readonly [InvariantId, Partial<History>]> = {
  "nothing was acknowledged": ["VACUOUS", { publishes: publishes.map((each) => ({ ...each, answer: "unknown" })) }],
  "no handler ran": ["VACUOUS", { runs: [] }],
  "an acknowledged event is not in the log": [
    "I1",
    { publishes: [...publishes, { event: "e6", topic: "orders", key: "z", answer: "acknowledged" }] },
  ],
  "the log has what nobody published": [
    "I2",
    { log: [...log, { event: "e6", topic: "orders", partition: 1, position: 2, key: "c" }] },
  ],
  "the log has what was refused": ["I2", { publishes: [p1, { ...p2, answer: "refused" }, ...others] }],
  "the log has other bytes": ["I2", { log: log.map((entry) => ({ ...entry, payload: "other" })) }],
  "an acknowledged publish had other bytes than the log": [
    "I2",
    { publishes: [...publishes, { ...p1, payload: "other" }] },
  ],
  "the log has another key": ["I2", { publishes: [{ ...p1, key: "x" }, p2, ...others] }],
  "a handler was given other bytes": ["I2", { runs: [{ ...sound.runs[0], payload: "other" } as never] }],
  "a handler was given what is in no log": ["I2", { runs: [{ ...sound.runs[0], event: "e9" } as never] }],
  "a position is missing": ["I3", { log: log.filter(({ event }) => event !== "e2") }],
  "a position stands twice": ["I3", { log: [...log.slice(0, 1), ...log] }],
  "events of a producer stand in another order": [
    "I4",
    { publishes: publishes.map((each) => ({ ...each, seq: 10 - (each.seq as number) })) },
  ],
  "an acknowledged event is missing before one of its producer": [
    "I4",
    { log: log.filter(({ event }) => event !== "e1") },
  ],
  "half of a batch is there": [
    "I6",
    { publishes: [...publishes.map((each) => ({ ...each, batch: "b" })), { event: "e6", topic: "orders", key: "z", answer: "unknown", batch: "b" }] },
  ], // prettier-ignore
  "a unit of work is half there": ["I6", { effects: sound.effects.slice(1) }],
  "an event was passed over": ["I7", { effects: sound.effects.filter(({ event }) => event !== "e2") }],
  "an event is pending after the healing": [
    "I7",
    withSubscription({ partitions: [{ partition: 0, start: 0, low: 1, finished: [] }, subscription.partitions[1]] }),
  ],
  "a retry never came": ["I7", { held: [{ ...sound.held[0], waitsFor: "time" } as never] }],
  "an effect happened twice": ["I8", { effects: [...sound.effects, sound.effects[0] as never] }],
  "an event stands twice in the log": ["I8", { log: [...log, { ...log[4], position: 2 } as never] }],
  "a ledger does not add up": ["I8", { ledgers: [{ name: "money", sum: 3, expected: 0 }] }],
  "effects of a key came in another order": ["I9", { effects: sound.effects.toReversed() }],
  "two handlers of a key ran at once": ["I9", { runs: sound.runs.map((run) => ({ ...run, key: "a" })) }],
  "an old owner wrote": ["I10", { ownership: sound.ownership.toReversed() }],
  "two owners have one token": ["I10", { ownership: sound.ownership.map((write) => ({ ...write, token: 7 })) }],
  "a write had no fence": ["I10", { ownership: [{ lease: "partition/0", owner: "one", token: undefined }] }],
  "a position went back": ["I11", { positions: sound.positions.map((sample) => ({ ...sample, run: 1 })) }],
  "a retry came early": ["I13", { timers: sound.timers.map((timer) => ({ ...timer, firedAtMs: 99 })) }],
  "a poison event was given up too soon": ["I16", { poison: sound.poison.map((each) => ({ ...each, failures: 5 })) }],
  "a poison event is no dead letter": ["I16", { deadLetters: sound.deadLetters.slice(0, 1) }],
  "a dead letter is gone": ["I17", { deadLettersSeen: ["d1", "d2", "d3"] }],
  "a resolved dead letter was not handled": [
    "I17",
    { deadLetters: sound.deadLetters.map((letter) => ({ ...letter, state: "resolved" })) },
  ],
  "an event has two open dead letters": [
    "I17",
    { deadLetters: [...sound.deadLetters, { ...sound.deadLetters[1], id: "d3" } as never] },
  ],
  "an open dead letter is not held": [
    "I17",
    { held: [], ...withSubscription({ totals: { ...subscription.totals, held: 0, handled: 4 } }) },
  ],
  "more is in flight than is declared": ["I18", { resources: [{ name: "in flight", peak: 13, cap: 12 }] }],
  "two probes went through a breaker at once": ["GUARD", { dependencies: [{ ...bank, probesMost: 2 }] }],
  "a breaker stays open behind a probe that succeeded": ["GUARD", { dependencies: [{ ...bank, isStuck: true }] }],
  "a dependency was called too often": [
    "GUARD",
    { dependencies: [{ ...bank, beganAtMs: [...bank.beganAtMs, 901, 902, 903, 904] }] },
  ],
  "waiting for a breaker was a failure of the event": [
    "GUARD",
    { charges: [{ subscription: "billing/orders", key: "c", code: "TIDINGS_BREAKER_OPEN" }] },
  ],
  "a redrive counts what was not sent": ["REDRIVE", withRedrive({ sent: redrive.sent.slice(0, 1) })],
  "a redrive counts a failure as handled": [
    "REDRIVE",
    withRedrive({ counts: { ...redrive.counts, succeeded: 2, failedAgain: 0 } }),
  ],
  "a redrive counts more than it covers": ["REDRIVE", withRedrive({ counts: { ...redrive.counts, covered: 2 } })],
  "a redrive that is done has left something": ["REDRIVE", withRedrive({ counts: { ...redrive.counts, covered: 4 } })],
  "a redrive sent one twice": [
    "REDRIVE",
    withRedrive({ sent: redrive.sent.map((each) => ({ ...each, deadLetter: "d0" })) }),
  ],
  "a redrive went on after its end": [
    "REDRIVE",
    withRedrive({ sent: redrive.sent.map((each) => ({ ...each, isStopped: true })) }),
  ],
  "a redrive left its ramp": ["REDRIVE", withRedrive({ batches: [{ size: 3, most: 2 }] })],
  "a redrive was faster than its rate": ["REDRIVE", withRedrive({ perSecond: 1.9 })],
  "a redrive never ended": ["REDRIVE", withRedrive({ state: "running", ended: false })],
  "a dead letter is being redriven for ever": [
    "REDRIVE",
    { deadLetters: sound.deadLetters.map((letter) => ({ ...letter, state: "redriving" })) },
  ],
  "a seed gave two runs": ["I24", { traces: [{ seed: "1-000001", first: "ab", second: "ac" }] }],
  "the counts do not add up": ["P3", withSubscription({ totals: { ...subscription.totals, filtered: 1 } })],
  "more is counted as held than is held": ["P3", { held: [] }],
  "more is counted as handled than has effects": [
    "P3",
    withSubscription({ totals: { ...subscription.totals, handled: 4, discarded: 0 } }),
  ],
};

/** What a workload promises of itself is its own affair. */
const ids = Object.keys(invariants)
  .filter((id) => id !== "OWN")
  .sort();

describe("the checker", () => {
  it("finds nothing in a sound history, and checks it for everything", () => {
    const { violations, checked } = check(sound);
    assert.deepEqual(violations, []);
    assert.deepEqual([...checked].sort(), ids);
  });

  for (const [what, [invariant, change]] of Object.entries(broken)) {
    it(`finds that ${what} (${invariant})`, () => {
      const { violations } = check({ ...sound, ...change });
      assert.ok(
        violations.some((violation) => violation.invariant === invariant),
        JSON.stringify(violations),
      );
      for (const { message } of violations) assert.match(message, /^\S.*\.$/);
    });
  }

  it("has a history that breaks each invariant", () => {
    assert.deepEqual([...new Set(Object.values(broken).map(([id]) => id))].sort(), ids);
  });

  it("does not miss what retention has removed", () => {
    const firsts = [{ topic: "orders", partition: 0, first: 2 }];
    const { violations } = check({ publishes, log: log.slice(2), firsts });
    assert.deepEqual(violations, []);
  });

  it("takes what has no answer as there or not there", () => {
    const lost = { event: "e6", topic: "orders", key: "z", answer: "unknown" } as const;
    assert.deepEqual(check({ publishes: [...publishes, lost], log }).violations, []);
    const unsure = publishes.map((each) => (each === p2 ? { ...each, answer: "unknown" as const } : each));
    assert.deepEqual(check({ publishes: unsure, log }).violations, []);
  });

  it("takes what a guard has refused at most once as given up", () => {
    const charges = [{ subscription: "billing/orders", key: "c", code: "TIDINGS_RATE_LIMITED" }];
    assert.deepEqual(check({ ...sound, ...withSubscription({ mayLose: true }), charges }).violations, []);
  });

  it("takes an event that was discarded and taken back as out of its turn", () => {
    const effects = sound.effects.toReversed();
    assert.ok(check({ ...sound, effects }).violations.some(({ invariant }) => invariant === "I9"));
    const restored = withSubscription({ restored: ["e1"] });
    assert.deepEqual(check({ ...sound, effects, ...restored }).violations, []);
  });

  it("says what it could not check", () => {
    const { checked } = check({ publishes, log });
    assert.deepEqual(checked, ["VACUOUS", "I1", "I2", "I3", "I4", "I6", "I8"]);
  });

  it("lets what is pending wait until the healing, and where somebody paused", () => {
    const open = { partitions: [{ partition: 0, start: 0, low: 1, finished: [] }, subscription.partitions[1]] };
    assert.deepEqual(check({ ...sound, ...withSubscription(open), healed: false }).violations.filter(({ invariant }) => invariant === "I7"), []); // prettier-ignore
    const paused = withSubscription({ ...open, paused: true });
    assert.deepEqual(
      check({ ...sound, ...paused }).violations.filter(({ invariant }) => invariant === "I7"),
      [],
    );
  });

  it("lets effects repeat in another run, and where a subscription may repeat", () => {
    const again = sound.effects.map((effect) => ({ ...effect, run: 2 }));
    assert.deepEqual(check({ ...sound, effects: [...sound.effects, ...again] }).violations, []);
    const { violations } = check({ ...sound, ...withSubscription({ repeats: true }), effects: [...sound.effects, sound.effects[4] as never, sound.effects[5] as never] }); // prettier-ignore
    assert.deepEqual(violations, []);
  });

  it("counts what is lost, doubled and out of order", () => {
    const { violations } = check({ ...sound, ledgers: [{ name: "x", sum: 1, expected: 0 }], log: log.slice(0, 4) });
    const counts = countFindings(violations);
    assert.equal(counts.lost, 1);
    assert.equal(counts.doubled, 1);
    assert.equal(counts.lost + counts.doubled + counts.reordered + counts.violations, violations.length);
  });
});
