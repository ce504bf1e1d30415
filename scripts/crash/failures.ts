// The scenario "failures": retries, dead letters, held keys, redrives, discards and pauses, while the application and its
// operator are killed.
import { join } from "node:path";

import { type Effect, type History, identityOf } from "../../src/testing/check/history.ts";
import { accountBox, jobs, keyCount, openFailures, results, seenBox } from "./failures-app.ts";
import type { FailuresTask } from "./failures-child.ts";
import { readEnd, readTrace } from "./history.ts";
import type { OperatorTask } from "./operator-child.ts";
import { readOracle } from "./oracle.ts";
import { killPoints } from "./points.ts";
import { type Published, progressOf, publishesOf } from "./progress.ts";
import { idOf, type Share } from "./publish.ts";
import { judge, type Scenario } from "./scenario.ts";
import { numbersOf, type Seen } from "./seen.ts";
import { runWithKills } from "./supervisor.ts";

/** Several of a key in a row, so that some wait in their lane while one fails, is paused or meets a conflict. */
const pace = { publishers: 1, burst: 8, inARow: 4, inFlightMax: 200 };

/**
 * So many events the last process publishes, while nobody is killed; more than others ever have in flight. It takes its time:
 * where all keys are held, nothing goes the usual way.
 */
const lastEvents = 1500;
const lastPace = { burst: 4 };

export const failures: Scenario = {
  name: "failures",
  async run({ folder, kills, seed, say, source, driver, before }) {
    const file = join(folder, "failures.db");
    const oracle = join(folder, "acknowledged");
    const trace = join(folder, "trace");
    const program = join(import.meta.dirname, "failures-child.ts");
    const progress = progressOf(oracle, 1, lastEvents);
    const seen = new Set<string>();
    const wrong: string[] = [];
    let starts = 0;
    let shares: readonly Share[] = [];
    const task = (): FailuresTask => ({ file, seed, ...pace, shares: [{ publisher: 0, from: progress.from(0) }] });
    const killed = await runWithKills({
      oracle, trace, kills, seed, say, source, driver, before,
      slots: [
        { program, task, points: [...killPoints.always, ...killPoints.handling, ...killPoints.failing], lifeMs: 200 },
        {
          program: join(import.meta.dirname, "operator-child.ts"),
          task: (): OperatorTask => ({ file, seed, start: starts++ }),
          points: killPoints.operating,
          lifeMs: 300,
        },
      ],
      last: { program, task: (): FailuresTask => ({ ...task(), ...lastPace, shares: (shares = progress.rest()) }) },
      heard(word, id) {
        if (word === "seen") seen.add(id);
        if (word === "wrong") wrong.push(id);
      },
    }); // prettier-ignore
    say("checking");
    const acknowledged = readOracle(oracle);
    const published: Published = { acknowledged, shares, publishers: 1, keyCount, inARow: pace.inARow };
    const { history, problems } = await historyOf(file, trace, seed, published, [...seen]);
    return { acknowledged: acknowledged.size, ...killed, ...judge(history, [...problems, ...wrong]) };
  },
};

async function historyOf(
  file: string,
  trace: string,
  seed: number,
  published: Published,
  deadLettersSeen: readonly string[],
): Promise<{ history: History; problems: readonly string[] }> {
  const app = await openFailures({ file, seed, services: false }).start();
  try {
    const read = await readEnd(app, [jobs.name, results.name]);
    const done: Effect[] = [];
    const source = "/crash";
    for (const { topic, event, key, cause } of read.entries)
      if (topic === results.name)
        done.push({
          subscription: "worker/jobs",
          name: topic,
          event: cause ? identityOf({ source, id: cause }) : event,
          key,
        });
    for (const service of ["worker", "sender"])
      for await (const [key, seen] of app.state<Seen>(service, seenBox).entries())
        for (const seq of numbersOf(seen))
          done.push({
            subscription: `${service}/jobs`,
            name: "seen",
            event: identityOf({ source, id: idOf({ key, seq }) }),
            key,
          });
    let sum = 0;
    for await (const [, money] of app.state<number>("worker", accountBox).entries()) sum += money;
    const history: History = {
      publishes: [...publishesOf(published, jobs.name), ...read.published],
      log: read.entries,
      firsts: read.firsts,
      effects: done,
      subscriptions: read.subscriptions.map((each) =>
        each.subscription === "worker/jobs"
          ? { ...each, effects: ["seen", results.name] }
          : { ...each, effects: ["seen"], ordered: false },
      ),
      held: read.held,
      deadLetters: read.deadLetters,
      deadLettersSeen,
      ledgers: [{ name: accountBox, sum, expected: 0 }],
      ...readTrace(trace),
      healed: true,
    };
    return { history, problems: [...read.problems, ...leftOver(history)] };
  } finally {
    await app.stop();
  }
}

/** Everything was mended: no dead letter is open, and as many events were discarded as dead letters were. */
export function leftOver({ deadLetters = [], subscriptions = [], held = [] }: History): string[] {
  const problems = held.map(({ event, subscription }) => `${event} is held for ${subscription} in the end.`);
  for (const { id, state } of deadLetters)
    if (state === "open" || state === "redriving") problems.push(`The dead letter ${id} is ${state} in the end.`);
  for (const { subscription, totals } of subscriptions) {
    const closed = deadLetters.filter(
      (each) => each.subscription === subscription && each.state === "discarded",
    ).length;
    if (totals && totals.discarded !== closed)
      problems.push(
        `${subscription} has counted ${totals.discarded} events as discarded, and ${closed} dead letters are.`,
      );
  }
  return problems;
}
