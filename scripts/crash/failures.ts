// The scenario "failures": retries, dead letters, held keys, redrives, discards and pauses, while the application and its
// operator are killed.
import { join } from "node:path";

import { type Effect, type History, identityOf } from "../../src/testing/check/history.ts";
import { jobs, keyCount, openFailures, results, seenBox } from "./failures-app.ts";
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

const pace = { publishers: 1, burst: 5, inFlightMax: 200 };

export const failures: Scenario = {
  name: "failures",
  async run({ folder, kills, seed, say, source }) {
    const file = join(folder, "failures.db");
    const oracle = join(folder, "acknowledged");
    const trace = join(folder, "trace");
    const program = join(import.meta.dirname, "failures-child.ts");
    const progress = progressOf(oracle, 1, pace.inFlightMax * 2);
    const seen = new Set<string>();
    let starts = 0;
    let shares: readonly Share[] = [];
    const task = (): FailuresTask => ({ file, seed, ...pace, shares: [{ publisher: 0, from: progress.from(0) }] });
    const killed = await runWithKills({
      oracle, trace, kills, seed, say, source,
      slots: [
        { program, task, points: [...killPoints.always, ...killPoints.handling, ...killPoints.failing], lifeMs: 200 },
        {
          program: join(import.meta.dirname, "operator-child.ts"),
          task: (): OperatorTask => ({ file, seed, start: starts++ }),
          points: killPoints.operating,
          lifeMs: 300,
        },
      ],
      last: { program, task: (): FailuresTask => ({ ...task(), burst: 20, shares: (shares = progress.rest()) }) },
      heard(word, id) {
        if (word === "seen") seen.add(id);
      },
    }); // prettier-ignore
    say("checking");
    const acknowledged = readOracle(oracle);
    const published: Published = { acknowledged, shares, publishers: 1, keyCount };
    const { history, problems } = await historyOf(file, trace, seed, published, [...seen]);
    return { acknowledged: acknowledged.size, ...killed, ...judge(history, problems) };
  },
};

async function historyOf(
  file: string,
  trace: string,
  seed: number,
  published: Published,
  deadLettersSeen: readonly string[],
): Promise<{ history: History; problems: readonly string[] }> {
  const app = await openFailures({ file, seed, services: false, last: true }).start();
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
