import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFile, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";

import { leftOver } from "../../scripts/crash/failures.ts";
import { missingMarks } from "../../scripts/crash/counter.ts";
import { echoProblems } from "../../scripts/crash/echo.ts";
import { Findings } from "../../scripts/crash/findings.ts";
import { readTrace, takeOvers } from "../../scripts/crash/history.ts";
import type { LogEntry } from "../../scripts/crash/log.ts";
import { Member } from "../../scripts/crash/member.ts";
import { openOracle, readOracle } from "../../scripts/crash/oracle.ts";
import { KillPoints, type KillPointName, rarestOf } from "../../scripts/crash/points.ts";
import { progressOf, publishesOf } from "../../scripts/crash/progress.ts";
import { idOf, numberedOf } from "../../scripts/crash/publish.ts";
import { judge } from "../../scripts/crash/scenario.ts";
import { numbersOf, type Seen, withNumber } from "../../scripts/crash/seen.ts";
import { compareShops } from "../../scripts/crash/shop.ts";
import { flags } from "../../scripts/launch/run.mjs";
import type { History } from "../../src/testing/check/history.ts";

const root = join(import.meta.dirname, "../..");
const none = { lost: 0, doubled: 0, reordered: 0, violations: 0 };

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "tidings-crash-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const crash = (...args: string[]) =>
  promisify(execFile)(process.execPath, [...flags, join(root, "scripts/crash.ts"), ...args]);

describe("the crash harness", { timeout: 180_000 }, () => {
  for (const [scenario, kills] of [
    ["counter", 6],
    ["failures", 6],
    ["fleet", 4],
    ["birth", 4],
    ["shop", 2],
  ] as const)
    it(`finds nothing wrong after ${kills} kills of ${scenario}`, async () => {
      const { stdout } = await crash(`--scenario=${scenario}`, `--kills=${kills}`, "--seed=3", "--json");
      const line = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
      const { acknowledged, killPoints, rarest, stops: _, ...rest } = line;
      assert.ok((acknowledged as number) > 0);
      assert.deepEqual(rarest, rarestOf(killPoints as Record<string, number>));
      assert.deepEqual(rest, { scenario, seed: 3, kills, ...none, invariants: {} });
    });

  it("refuses a scenario or a library that it does not know, and a copy of the sources that is none", async () => {
    for (const [args, message] of [
      [["--scenario", "nothing"], /no scenario "nothing"; there are counter, shop, fleet, failures, birth\./],
      [["--source", tmpdir()], /--source: there is no index\.ts in .*, nor in a folder src of it\./],
      [["--driver", "sqlite3"], /--driver takes node:sqlite or better-sqlite3\./],
    ] as const)
      await assert.rejects(crash(...args), (error: { code?: number; stderr?: string }) => {
        assert.equal(error.code, 2);
        assert.match(error.stderr ?? "", message);
        return true;
      });
  });

  it("runs a copy of the sources; what fails keeps its files and says how to do it again", async (t) => {
    const copy = join(await folder(t), "src");
    await cp(join(root, "src"), copy, { recursive: true });
    await appendFile(join(copy, "index.ts"), `throw new Error("This is the copy.");\n`);
    await assert.rejects(
      crash("--scenario", "counter", "--kills", "1", "--source", copy),
      (error: { code?: number; stderr?: string }) => {
        assert.equal(error.code, 1);
        assert.match(error.stderr ?? "", /This is the copy\./);
        assert.match(error.stderr ?? "", /npm run crash -- --scenario counter --kills 1 --seed 1 --source /);
        const kept = /the files are in (.*)/.exec(error.stderr ?? "")?.[1];
        assert.ok(kept);
        t.after(() => rm(kept, { recursive: true, force: true }));
        return true;
      },
    );
  });
});

describe("a process of the harness", { timeout: 60_000 }, () => {
  const program = join(root, "scripts/crash/counter-child.ts");
  const points: readonly KillPointName[] = [
    "migrate.before-commit",
    "append.before",
    "group.after-commit",
    "handler.uncommitted",
    "position.after-commit",
    "checkpoint.after",
    "retention.before-commit",
  ];
  for (const point of points)
    it(`dies at ${point}`, async (t) => {
      const place = await folder(t);
      const acknowledged: number[] = [];
      const listener = { acknowledged: (numbers: readonly number[]) => acknowledged.push(...numbers), said: () => 0 };
      const member = new Member(program, listener, { source: undefined, trace: join(place, "trace") });
      const pace = { publishers: 1, burst: 20, inFlightMax: 300, shares: [{ publisher: 0, from: 0 }] };
      member.begin({ file: join(place, "counter.db"), seed: 1, ...pace, last: false, point: `${point}:1` });
      const timer = setTimeout(() => member.signal("SIGKILL"), 30_000);
      const { signal, complaint } = await member.ended;
      clearTimeout(timer);
      assert.equal(signal, "SIGKILL", complaint);
      assert.equal(member.hit, point);
      // What was committed and not answered is not acknowledged.
      if (point === "migrate.before-commit") assert.deepEqual(acknowledged, []);
    });
});

describe("a process that is told to stop", { timeout: 60_000 }, () => {
  it("stands still at the point, and goes on when it may", async (t) => {
    const place = await folder(t);
    const acknowledged: number[] = [];
    const listener = { acknowledged: (numbers: readonly number[]) => acknowledged.push(...numbers), said: () => 0 };
    const surroundings = { source: undefined, trace: join(place, "trace") };
    const member = new Member(join(root, "scripts/crash/counter-child.ts"), listener, surroundings);
    t.after(() => member.signal("SIGKILL"));
    const pace = { publishers: 1, burst: 20, inFlightMax: 300, shares: [{ publisher: 0, from: 0, until: 40 }] };
    member.begin({ file: join(place, "counter.db"), seed: 1, ...pace, last: true, point: "append.before:1:stop" });
    await Promise.race([member.stopped, member.ended]);
    assert.deepEqual(acknowledged, []);
    // It says so just before it stops: what comes too early is lost.
    const goingOn = setInterval(() => member.signal("SIGCONT"), 50);
    const { code, complaint } = await member.ended;
    clearInterval(goingOn);
    assert.equal(code, 0, complaint);
    assert.equal(acknowledged.length, 40);
  });
});

describe("the oracle", () => {
  it("keeps what was noted when it is opened again", async (t) => {
    const path = join(await folder(t), "acknowledged");
    for (const numbers of [[0, 1], [], [2]]) {
      const oracle = openOracle(path);
      oracle.note(numbers);
      oracle.close();
    }
    assert.deepEqual([...readOracle(path)], [0, 1, 2]);
  });

  it("tells where each publisher goes on, and what the last process publishes", async (t) => {
    const path = join(await folder(t), "acknowledged");
    const progress = progressOf(path, 2, 10);
    assert.equal(progress.from(1), 0);
    const oracle = openOracle(path);
    // Publisher 0: the events 0, 1 and 3; publisher 1: the event 0.
    oracle.note([0, 1, 2, 6]);
    oracle.close();
    assert.equal(progress.from(0), 2);
    assert.equal(progress.from(1), 1);
    assert.deepEqual(progress.rest(), [
      { publisher: 0, from: 2, until: 14 },
      { publisher: 1, from: 1, until: 14 },
    ]);
  });
});

describe("what a service has seen", () => {
  it("comes back number by number, in its order", () => {
    const order = [0, 1, 2, 5, 3, 3, 4];
    let seen: Seen | undefined;
    for (const number of order) seen = withNumber(seen, number);
    assert.deepEqual(seen, [[0, 2], [5, 5], [3, 3], [3, 4]]); // prettier-ignore
    assert.deepEqual(numbersOf(seen ?? []), order);
  });
});

describe("kill points", () => {
  it("come in turn, those that were never hit more often, and none holds up the others", () => {
    const points = new KillPoints(["open.before", "hold.before-commit"]);
    const aims = Array.from({ length: 6 }, () => points.next(["open.before", "hold.before-commit"], ([one]) => one!));
    for (const point of ["open.before", "hold.before-commit"] as const)
      assert.equal(aims.filter((aim) => aim === point).length, 3);
    points.hit("open.before");
    // What is hit comes a third as often as what is never reached.
    const later = Array.from({ length: 2 }, () => points.next(["open.before", "hold.before-commit"], ([one]) => one!));
    assert.deepEqual(later, ["hold.before-commit", "hold.before-commit"]);
    assert.deepEqual(points.hits(), { "hold.before-commit": 0, "open.before": 1 });
    assert.deepEqual(rarestOf(points.hits()), { "hold.before-commit": 0 });
  });

  it("come first while they were hit less than twice, in other scenarios of the run as well", () => {
    const before = new KillPoints([]);
    before.add({ "open.before": 2 });
    const points = new KillPoints(["open.before", "hold.before-commit"], before);
    const next = (): string => points.next(["open.before", "hold.before-commit"], ([one]) => one!);
    assert.deepEqual(
      Array.from({ length: 9 }, next),
      Array.from({ length: 9 }, () => "hold.before-commit"),
    );
    assert.equal(points.inVain("hold.before-commit"), 9);
    for (let hits = 0; hits < 2; hits++) {
      assert.equal(points.anyScarce(["open.before", "hold.before-commit"]), true);
      points.hit("hold.before-commit");
    }
    assert.equal(points.anyScarce(["open.before", "hold.before-commit"]), false);
    assert.equal(next(), "open.before");
    assert.deepEqual(points.hits(), { "hold.before-commit": 2, "open.before": 0 });
  });
});

describe("the verdict", () => {
  const shares = [{ publisher: 0, from: 0, until: 80 }];
  const published = { shares, publishers: 1, acknowledged: new Set([0, 1, 2]), keyCount: 40 };

  function goodHistory(): History {
    const publishes = publishesOf(published, "counts");
    return {
      publishes,
      log: publishes.map(({ event, key, payload = "" }, position) => ({ event, topic: "counts", partition: 0, position, key, payload })),
      effects: publishes.map(({ event, key }) => ({ subscription: "counter/counts", name: "seen", event, key })),
      subscriptions: [{ subscription: "counter/counts", topic: "counts", effects: ["seen"] }],
      healed: true,
    }; // prettier-ignore
  }

  it("has nothing against a good history", () => {
    const { counts, words } = judge(goodHistory(), []);
    assert.deepEqual(counts, none);
    assert.deepEqual(words, []);
  });

  it("finds what is lost, doubled and out of order, and counts other problems as violations", () => {
    const history = goodHistory();
    const [first, ...others] = history.effects!;
    const withoutFirst = { ...history, log: history.log.slice(1).map((entry, position) => ({ ...entry, position })) };
    assert.equal(judge({ ...withoutFirst, effects: others }, []).counts.lost, 1);
    assert.equal(judge({ ...history, effects: [...history.effects!, first!] }, []).counts.doubled, 1);
    assert.equal(judge({ ...history, effects: history.effects!.toReversed() }, []).counts.reordered, 40);
    assert.deepEqual(judge(history, ["the file is damaged"]).counts, { ...none, violations: 1 });
  });

  it("misses each mark that was not noted or noted twice, although retention has removed it", () => {
    const marks = publishesOf(published, "marks").map(({ event, key }) => ({ subscription: "marker/marks", name: "seen", event, key })); // prettier-ignore
    assert.deepEqual(missingMarks(published, marks), []);
    assert.match(missingMarks(published, [...marks, marks[0]!])[0] ?? "", /^I8: marker\/marks noted 3 of 2 marks/);
    assert.deepEqual(missingMarks(published, marks.slice(1)), ["I7: marker/marks noted 1 of 2 marks of key-0-0."]);
  });

  it("finds echoes that an inbox let through again, never, or out of order", () => {
    const log = [0, 4, 0, 8].map((seq) => ({ data: { key: "k", seq } }) as unknown as LogEntry);
    const problems = (...seen: number[]): string[] =>
      echoProblems(log, new Map([["k", seen]])).map((words) => words.slice(0, 2));
    assert.deepEqual(problems(0, 4, 8), []);
    assert.deepEqual(problems(0, 4, 0, 8), ["I8"]);
    assert.deepEqual(problems(0, 8), ["I7"]);
    assert.deepEqual(problems(), ["I7"]);
    assert.deepEqual(problems(0, 8, 4), ["I9"]);
  });

  it("finds what nobody has mended, and events discarded without a dead letter", () => {
    const letter = { id: "1", subscription: "worker/jobs", event: "e", key: "k", failures: 1 };
    const totals = { handled: 1, held: 0, discarded: 1, filtered: 0, expired: 0, skipped: 0, unknown: 0, pending: 0, total: 2 }; // prettier-ignore
    const history = { publishes: [], log: [], subscriptions: [{ subscription: "worker/jobs", topic: "jobs", totals }] };
    assert.deepEqual(leftOver({ ...history, deadLetters: [{ ...letter, state: "discarded" }] }), []);
    assert.equal(leftOver({ ...history, deadLetters: [{ ...letter, state: "open" }] }).length, 2);
    assert.equal(leftOver(history).length, 1);
  });

  it("knows the same event by the same id", () => {
    assert.equal(idOf(numberedOf(2, 45, 40)), "key-2-38:1");
    // Four of a key in a row.
    const many = Array.from({ length: 160 }, (_, n) => numberedOf(0, n, 20, 4));
    assert.deepEqual(many.slice(80, 84).map(idOf), ["key-0-3:4", "key-0-3:5", "key-0-3:6", "key-0-3:7"]);
    assert.equal(new Set(many.map(idOf)).size, 160);
  });
});

describe("the trace", () => {
  const line = (commit: number, pid: number, token: number | undefined, low = commit): string =>
    `${JSON.stringify({ place: "counter/counts", partition: 0, lease: "p", commit, run: 1, low, pid, token })}\n`;

  it("counts take-overs and shows a write that no fence stopped", async (t) => {
    const path = join(await folder(t), "trace");
    await writeFile(path, line(1, 10, 1) + line(2, 10, 1) + line(3, 11, 2));
    const good = { publishes: [], log: [], ...readTrace(path) };
    assert.equal(takeOvers(good), 1);
    const found = (): string[] =>
      judge({ publishes: [], log: [], ...readTrace(path) }, []).words.filter((words) => !words.startsWith("VACUOUS"));
    assert.deepEqual(found(), []);
    await writeFile(path, line(1, 10, 1) + line(2, 11, 2) + line(3, 10, 2));
    assert.match(found()[0] ?? "", /^I10: process 10 and process 11 both wrote/);
    await writeFile(path, line(1, 10, 1, 9) + line(2, 10, 1, 4));
    assert.match(found()[0] ?? "", /^I11: .* went from 9 in run 1 back to 4/);
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
    text: JSON.stringify({ n: position }),
    isRepeat: false,
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
