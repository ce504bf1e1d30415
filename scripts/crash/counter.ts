// The scenarios "counter", one process, "fleet", three on one file, and "birth", files that are made: every key's events
// are numbered, so that what is lost, doubled or out of order shows.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { type Effect, type History, identityOf } from "../../src/testing/check/history.ts";
import {
  accountBox,
  type Counted,
  counts,
  echoes,
  effects,
  keyCount,
  marks,
  openCounter,
  seenBox,
} from "./counter-app.ts";
import type { CounterTask } from "./counter-child.ts";
import { echoProblems } from "./echo.ts";
import { readEnd, readTrace, takeOvers } from "./history.ts";
import { readTopic } from "./log.ts";
import { readOracle } from "./oracle.ts";
import { type KillPointName, KillPoints, killPoints } from "./points.ts";
import { type Published, progressOf, publishesOf } from "./progress.ts";
import { idOf, type Share } from "./publish.ts";
import { judge, type Scenario, type ScenarioOptions, type ScenarioResult } from "./scenario.ts";
import { numbersOf, type Seen } from "./seen.ts";
import { runWithKills } from "./supervisor.ts";

/** What the scenarios differ in. */
interface Shape {
  readonly publishers: number;
  readonly points: readonly KillPointName[];
  /** Of the first process. */
  readonly firstPoints?: readonly KillPointName[];
  readonly lifeMs: number;
  readonly burst: number;
  readonly inFlightMax: number;
  /** How long a member that falls silent keeps its partitions; stops last longer. */
  readonly memberTtlMs?: number;
}

const running = [...killPoints.always, ...killPoints.handling, ...killPoints.housekeeping];
const one: Shape = { publishers: 1, points: running, lifeMs: 150, burst: 6, inFlightMax: 300 };
const three: Shape = { ...one, publishers: 3, lifeMs: 350, burst: 2, memberTtlMs: 900 };
const newborn: Shape = {
  ...one,
  points: killPoints.always,
  firstPoints: killPoints.birth,
  lifeMs: 60,
  burst: 2,
  inFlightMax: 10,
};

export const counter: Scenario = { name: "counter", run: (options) => run(options, one) };
export const fleet: Scenario = { name: "fleet", run: (options) => run(options, three) };
/** So many kills each file sees, the first one before it is whole. */
const killsPerFile = 4;
export const birth: Scenario = { name: "birth", run: runBirth };

async function run(options: ScenarioOptions, shape: Shape, counted?: KillPoints): Promise<ScenarioResult> {
  const { folder, kills, seed, say, source, driver, before } = options;
  const { publishers, points, firstPoints, lifeMs, burst, inFlightMax, memberTtlMs } = shape;
  const file = join(folder, "counter.db");
  const oracle = join(folder, "acknowledged");
  const trace = join(folder, "trace");
  const program = join(import.meta.dirname, "counter-child.ts");
  const progress = progressOf(oracle, publishers, inFlightMax * 2);
  const common = { file, seed, publishers, burst, inFlightMax, ...(memberTtlMs ? { memberTtlMs } : {}) };
  let starts = 0;
  let shares: readonly Share[] = [];
  const killed = await runWithKills({
    oracle, trace, kills, seed, say, source, driver, before,
    slots: Array.from({ length: publishers }, (_, publisher) => ({
      program,
      points,
      ...(firstPoints ? { firstPoints } : {}),
      lifeMs,
      // Nobody can tell of the last member whether its process lives, so that its leases have to expire.
      task: (): CounterTask => ({
        ...common,
        shares: [{ publisher, from: progress.from(publisher) }],
        ...(publisher === 2 ? { memberId: `silent-${starts++}` } : {}),
      }),
    })),
    last: { program, task: (): CounterTask => ({ ...common, burst: 20, shares: (shares = progress.rest()) }) },
    ...(counted ? { points: counted } : {}),
    ...(memberTtlMs ? { stops: { everyMs: 1_500, forMs: memberTtlMs * 1.5, at: "handler.uncommitted" as const } } : {}),
  }); // prettier-ignore
  say("checking");
  const acknowledged = readOracle(oracle);
  const { history, problems } = await historyOf(file, trace, { acknowledged, shares, publishers, keyCount });
  say(`${takeOvers(history)} take-overs of partitions`);
  return { acknowledged: acknowledged.size, ...killed, ...judge(history, problems) };
}

/** One file after the other. */
async function runBirth(options: ScenarioOptions): Promise<ScenarioResult> {
  const { folder, kills, seed, before } = options;
  const points = new KillPoints([...killPoints.always, ...killPoints.birth], before);
  let sum: ScenarioResult | undefined;
  for (let done = 0; done < kills || !sum; done += killsPerFile) {
    const place = join(folder, String(done));
    mkdirSync(place);
    const few = Math.min(killsPerFile, kills - done);
    const result = await run({ ...options, folder: place, kills: few, seed: seed * 100_000 + done }, newborn, points);
    sum = sum ? added(sum, result) : result;
  }
  return sum;
}

function added(a: ScenarioResult, b: ScenarioResult): ScenarioResult {
  const sum = <Name extends string>(one: Readonly<Record<Name, number>>, other: Readonly<Record<Name, number>>) =>
    Object.fromEntries(
      Object.entries<number>(one).map(([name, n]) => [name, n + (other[name as Name] ?? 0)]),
    ) as Record<Name, number>;
  return {
    acknowledged: a.acknowledged + b.acknowledged,
    points: b.points,
    counts: sum(a.counts, b.counts),
    stops: a.stops + b.stops,
    words: [...a.words, ...b.words],
    checked: a.checked,
  };
}

/** Reads everything with the application of the repository, without services. */
export async function historyOf(
  file: string,
  trace: string,
  published: Published,
): Promise<{ history: History; problems: readonly string[] }> {
  const app = await openCounter({ file, seed: 0, services: false }).start();
  try {
    const read = await readEnd(app, [counts.name, effects.name, marks.name]);
    const done: Effect[] = [];
    // Of an event that a handler publishes the id is given by chance: by key and number it is found again.
    const ids = new Map<string, string>();
    for (const { topic, event, data } of read.entries) ids.set(`${topic} ${idOf(data as Counted)}`, event);
    for (const { topic, event, key, cause } of read.entries) {
      if (topic === counts.name) continue;
      const by = cause === undefined ? event : identityOf({ source: "/crash", id: cause });
      done.push({ subscription: "counter/counts", name: topic, event: by, key });
    }
    for (const [service, topic] of [
      ["counter", counts.name],
      ["auditor", effects.name],
      ["teller", effects.name],
      ["marker", marks.name],
    ] as const)
      // prettier-ignore
      for await (const [key, seen] of app.state<Seen>(service, seenBox).entries())
        for (const seq of numbersOf(seen)) {
          const place = `${topic} ${idOf({ key, seq })}`;
          done.push({ subscription: `${service}/${topic}`, name: "seen", event: ids.get(place) ?? place, key });
        }
    let sum = 0;
    for await (const [, money] of app.state<number>("counter", accountBox).entries()) sum += money;
    const history: History = {
      publishes: [...publishesOf(published, counts.name), ...read.published],
      log: read.entries,
      firsts: read.firsts,
      effects: done,
      subscriptions: read.subscriptions.map((each) => ({
        ...each,
        ...effectsOf(each.subscription),
        mayLose: each.subscription === "teller/effects",
      })),
      held: read.held,
      deadLetters: read.deadLetters,
      ledgers: [{ name: accountBox, sum, expected: 0 }],
      ...readTrace(trace),
      healed: true,
    };
    const heard = new Map<string, readonly number[]>();
    for await (const [key, seen] of app.state<Seen>("listener", seenBox).entries()) heard.set(key, numbersOf(seen));
    const echoed = echoProblems(await readTopic(app, echoes.name), heard);
    return { history, problems: [...read.problems, ...missingMarks(published, done), ...echoed] };
  } finally {
    await app.stop();
  }
}

/** Marks are removed in time, so that nobody can ask for each; echoes are looked at by themselves. */
function effectsOf(subscription: string): { readonly effects?: readonly string[] } {
  if (subscription === "listener/echoes") return {};
  return { effects: subscription === "counter/counts" ? ["seen", effects.name] : ["seen"] };
}

/** Of marks that retention has removed nothing is left but what was noted of them. */
export function missingMarks(published: Published, done: readonly Effect[]): string[] {
  const marked = new Map<string | null, number>();
  for (const { subscription, key } of done)
    if (subscription === "marker/marks") marked.set(key, (marked.get(key) ?? 0) + 1);
  const expected = new Map<string | null, number>();
  for (const { key } of publishesOf(published, counts.name)) expected.set(key, (expected.get(key) ?? 0) + 1);
  return [...expected]
    .filter(([key, count]) => marked.get(key) !== count)
    .map(([key, count]) => {
      const noted = marked.get(key) ?? 0;
      return `${noted < count ? "I7" : "I8"}: marker/marks noted ${noted} of ${count} marks of ${key}.`;
    });
}
