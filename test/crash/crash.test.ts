import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";

import { type CounterHistory, checkCounter } from "../../scripts/crash/counter.ts";
import { type Count, type Counted, countedOf, keyCount } from "../../scripts/crash/counter-app.ts";
import { Findings } from "../../scripts/crash/findings.ts";
import type { LogEntry } from "../../scripts/crash/log.ts";
import { openOracle, readOracle } from "../../scripts/crash/oracle.ts";
import { compareShops } from "../../scripts/crash/shop.ts";
import { flags } from "../../scripts/launch/run.mjs";
import type { SubscriptionTotals } from "../../src/index.ts";

const root = join(import.meta.dirname, "../..");
const none = { lost: 0, doubled: 0, reordered: 0, violations: 0 };
const until = keyCount * 3;

/** The totals of a subscription that has handled everything. */
const settled: SubscriptionTotals = {
  subscription: "counter/counts",
  service: "counter",
  topic: "counts",
  epoch: 1,
  handled: until,
  filtered: 0,
  expired: 0,
  discarded: 0,
  skipped: 0,
  held: 0,
  unknown: 0,
  pending: 0,
  total: until,
  deadLetters: 0,
  heldKeys: 0,
  heldRetrying: 0,
  oldestAgeMs: 0,
  paused: undefined,
};

/** A history with nothing wrong. */
function goodHistory(): {
  -readonly [Name in keyof CounterHistory]: CounterHistory[Name];
} {
  const all = Array.from({ length: until }, (_, n) => countedOf(n));
  const documents = new Map<string, Count>();
  for (const { key } of all) documents.set(key, { count: 3, last: 2, reordered: 0 });
  return {
    acknowledged: new Set(all.keys()),
    until,
    counted: all,
    effects: all,
    documents: { counter: documents, auditor: new Map(documents) },
    subscriptions: [settled],
  };
}

function found(change: (history: ReturnType<typeof goodHistory>) => void): Findings["counts"] {
  const history = goodHistory();
  change(history);
  const findings = new Findings();
  checkCounter(findings, history);
  return findings.counts;
}

function withoutFifth(log: readonly Counted[]): Counted[] {
  return log.filter((_, i) => i !== 4);
}

describe("the crash harness", { timeout: 180_000 }, () => {
  it("finds nothing wrong after five kills", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...flags,
      join(root, "scripts/crash.ts"),
      "--scenario=counter",
      "--kills=5",
      "--seed=3",
      "--json",
    ]);
    const line = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    const { acknowledged, ...rest } = line;
    assert.ok((acknowledged as number) > 0);
    assert.deepEqual(rest, { scenario: "counter", seed: 3, kills: 5, ...none });
  });

  it("refuses a scenario that it does not know", async () => {
    const run = promisify(execFile)(process.execPath, [
      ...flags,
      join(root, "scripts/crash.ts"),
      "--scenario",
      "nothing",
    ]);
    await assert.rejects(run, (error: { code?: number; stderr?: string }) => {
      assert.equal(error.code, 2);
      assert.match(error.stderr ?? "", /no scenario "nothing"/);
      return true;
    });
  });
});

describe("the oracle", () => {
  it("keeps what was noted when it is opened again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-oracle-"));
    try {
      for (const numbers of [[0, 1], [], [2]]) {
        const oracle = openOracle(join(folder, "acknowledged"));
        oracle.note(numbers);
        oracle.close();
      }
      assert.deepEqual([...readOracle(join(folder, "acknowledged"))], [0, 1, 2]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the checker of the counter", () => {
  it("accepts a good history", () => {
    assert.deepEqual(
      found(() => undefined),
      none,
    );
  });

  it("finds an acknowledged event that is not there", () => {
    const counts = found((history) => (history.counted = withoutFifth(history.counted)));
    assert.equal(counts.lost, 1);
  });

  it("finds an event and an effect that stand there twice", () => {
    assert.equal(found((history) => (history.counted = [...history.counted, countedOf(4)])).doubled, 1);
    assert.equal(found((history) => (history.effects = [...history.effects, countedOf(4)])).doubled, 1);
  });

  it("finds an effect that is missing", () => {
    assert.equal(found((history) => (history.effects = withoutFifth(history.effects))).lost, 1);
  });

  it("finds an event counted twice or not at all", () => {
    const counting =
      (count: number) =>
      (history: ReturnType<typeof goodHistory>): void => {
        const documents = new Map(history.documents["counter"]);
        documents.set("key-5", { count, last: 2, reordered: 0 });
        history.documents = { ...history.documents, counter: documents };
      };
    assert.deepEqual(found(counting(4)), { ...none, doubled: 1 });
    assert.deepEqual(found(counting(1)), { ...none, lost: 2 });
  });

  it("finds a key out of order, in the log and at the handler", () => {
    const swapped = found((history) => {
      const counted = [...history.counted];
      const [first, second] = [
        counted.findIndex(({ key }) => key === "key-5"),
        counted.findLastIndex(({ key }) => key === "key-5"),
      ];
      [counted[first], counted[second]] = [counted[second] as Counted, counted[first] as Counted];
      history.counted = counted;
    });
    assert.ok(swapped.reordered > 0);
    const seen = found((history) => {
      const documents = new Map(history.documents["auditor"]);
      documents.set("key-5", { count: 3, last: 2, reordered: 2 });
      history.documents = { ...history.documents, auditor: documents };
    });
    assert.deepEqual(seen, { ...none, reordered: 2 });
  });

  it("finds counters that do not add up, what is pending, and dead letters", () => {
    const violations = (change: Partial<SubscriptionTotals>): number =>
      found((history) => (history.subscriptions = [{ ...settled, ...change }])).violations;
    assert.equal(violations({ handled: until - 1 }), 1);
    assert.equal(violations({ handled: until - 1, pending: 1 }), 1);
    assert.equal(violations({ handled: until - 1, held: 1, deadLetters: 1 }), 2);
  });
});

describe("the checker of the shop", () => {
  const entry = (position: number, more: Partial<LogEntry> = {}): LogEntry => ({
    topic: "orders",
    partition: 0,
    position,
    id: `o${position}`,
    source: "/shop",
    type: "placed",
    key: "42",
    causationid: undefined,
    data: { n: position },
    ...more,
  });
  const effect = (position: number, cause: number): LogEntry =>
    entry(position, { topic: "payments", id: `p${position}`, causationid: `o${cause}`, data: { of: cause } });
  const log = [entry(0), entry(1), effect(0, 0), effect(1, 1)];

  function compared(log: readonly LogEntry[], truth: readonly LogEntry[], summary: unknown = 1): Findings["counts"] {
    const findings = new Findings();
    compareShops(findings, { log: truth, summary: 1 }, { log, summary });
    return findings.counts;
  }

  it("accepts the same events with other ids", () => {
    assert.deepEqual(
      compared(
        log.map((each) => (each.topic === "payments" ? { ...each, id: `x${each.id}` } : each)),
        log,
      ),
      none,
    );
  });

  it("finds lost and doubled effects, other figures, and effects out of the order of their causes", () => {
    assert.deepEqual(compared(log.slice(0, 3), log), { ...none, lost: 1 });
    assert.deepEqual(compared([...log, { ...effect(2, 1), id: "p9" }], log), { ...none, doubled: 1 });
    assert.deepEqual(compared(log, log, 2), { ...none, violations: 1 });
    assert.deepEqual(compared([entry(0), entry(1), effect(0, 1), effect(1, 0)], log), { ...none, reordered: 1 });
  });
});
