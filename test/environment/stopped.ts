import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { keyCount } from "../../scripts/crash/counter-app.ts";
import { historyOf } from "../../scripts/crash/counter.ts";
import { takeOvers } from "../../scripts/crash/history.ts";
import { Member } from "../../scripts/crash/member.ts";
import type { Share } from "../../scripts/crash/publish.ts";
import { judge } from "../../scripts/crash/scenario.ts";

const memberTtlMs = 1000;

/**
 * Two processes of the crash harness on one file, of which one is stopped until the other has its partitions, and then
 * goes on. Answers with how many partitions changed hands while it was stopped, and with everything that is wrong.
 */
export async function fleetOnTrace(
  t: TestContext,
  place: string,
): Promise<{ takenOver: number; ownedAgain: number; words: readonly string[] }> {
  const [file, trace] = [join(place, "fleet.db"), join(place, "trace")];
  const acknowledged = new Set<number>();
  const listener = {
    acknowledged: (numbers: readonly number[]) => numbers.forEach((n) => acknowledged.add(n)),
    said: () => 0,
  };
  const program = join(import.meta.dirname, "../../scripts/crash/counter-child.ts");
  const until = 1500;
  const start = (publisher: number, shares: readonly Share[], last: boolean): Member => {
    const member = new Member(program, listener, { source: undefined, trace });
    t.after(() => member.signal("SIGKILL"));
    const memberId = `member-${publisher}`;
    const task = { file, seed: 1, publishers: 2, burst: 2, inFlightMax: 100, shares, memberId, memberTtlMs };
    member.begin({ ...task, last, point: "" });
    return member;
  };
  const shareOf = (publisher: number): Share => ({ publisher, from: 0, until });
  const owned = (): Map<string, number> =>
    new Map(
      readFileSync(trace, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { lease: string; pid: number })
        .map(({ lease, pid }) => [lease, pid]),
    );
  const members = [start(0, [shareOf(0)], true), start(1, [shareOf(1)], true)];
  await Promise.all(members.map(({ ready }) => ready));
  const stopped = members[0] as Member;
  // Until both own something.
  for (let i = 0; i < 500 && new Set([...ownedSoFar(owned)].map(([, pid]) => pid)).size < 2; i++) await sleep(20);
  const before = owned();
  const countTakenOver = (): number => {
    const after = owned();
    return [...before].filter(([lease, pid]) => after.get(lease) !== pid).length;
  };
  // One that is stopped inside a write holds the lock of the file, and nobody can take over: it is stopped elsewhere then.
  for (let tries = 0; tries < 10 && countTakenOver() === 0; tries++) {
    stopped.signal("SIGCONT");
    await sleep(50 + tries * 7);
    stopped.signal("SIGSTOP");
    for (let i = 0; i < 60 && countTakenOver() === 0; i++) await sleep(memberTtlMs / 10);
  }
  const takenOver = countTakenOver();
  stopped.signal("SIGCONT");
  for (const { code, complaint } of await Promise.all(members.map(({ ended }) => ended)))
    assert.equal(code, 0, complaint);
  const published = { shares: [shareOf(0), shareOf(1)], publishers: 2, acknowledged, keyCount };
  const { history, problems } = await historyOf(file, trace, published);
  return {
    takenOver,
    ownedAgain: takeOvers(history),
    words: judge(history, problems).words,
  };
}

/** Before the first commit there is no trace. */
function ownedSoFar(owned: () => Map<string, number>): Map<string, number> {
  try {
    return owned();
  } catch {
    return new Map();
  }
}
