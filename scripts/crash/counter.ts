// The scenario "counter": every key's events are numbered, so that what is lost, doubled or out of order shows.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SubscriptionTotals } from "tidings";

import { type Count, type Counted, counterBox, countedOf, counts, effects, idOf, openCounter } from "./counter-app.ts";
import type { CounterTask } from "./counter-child.ts";
import { checkFile, checkTotals, Findings } from "./findings.ts";
import { readTopic } from "./log.ts";
import { readOracle } from "./oracle.ts";
import type { Scenario } from "./scenario.ts";
import { runWithKills } from "./supervisor.ts";

/** More than the children ever have in flight, so that the last one publishes whatever an earlier one may have. */
const beyond = 1000;

/** What the file holds in the end, and what was acknowledged. */
export interface CounterHistory {
  readonly acknowledged: ReadonlySet<number>;
  /** Events 0 to here, exclusive, are all that may be there. */
  readonly until: number;
  /** In the order of the log. */
  readonly counted: readonly Counted[];
  readonly effects: readonly Counted[];
  /** By service and key. */
  readonly documents: Readonly<Record<string, ReadonlyMap<string, Count>>>;
  readonly subscriptions: readonly SubscriptionTotals[];
}

export const counter: Scenario = {
  name: "counter",
  async run({ folder, kills, seed, say }) {
    const file = join(folder, "counter.db");
    const oracle = join(folder, "acknowledged");
    const plan: CounterTask = { file, seed, from: 0 };
    let until = 0;
    await runWithKills({
      program: join(import.meta.dirname, "counter-child.ts"),
      oracle,
      kills,
      seed,
      say,
      task(last) {
        const acknowledged = existsSync(oracle) ? readOracle(oracle) : new Set<number>();
        let from = 0;
        while (acknowledged.has(from)) from++;
        if (!last) return { ...plan, from };
        until = [...acknowledged].reduce((most, n) => Math.max(most, n + 1), 0) + beyond;
        return { ...plan, from, until };
      },
    });
    say("checking");
    const findings = new Findings();
    const acknowledged = readOracle(oracle);
    const app = await openCounter(file, seed, false).start();
    try {
      const documents: Record<string, Map<string, Count>> = {};
      for (const service of ["counter", "auditor"]) {
        const kept = (documents[service] = new Map<string, Count>());
        for await (const [key, count] of app.state<Count>(service, counterBox).entries()) kept.set(key, count);
      }
      const history: CounterHistory = {
        acknowledged,
        until,
        counted: (await readTopic(app, counts.name)).map(({ data }) => data as Counted),
        effects: (await readTopic(app, effects.name)).map(({ data }) => data as Counted),
        documents,
        subscriptions: (await app.totals()).subscriptions,
      };
      checkCounter(findings, history);
      await checkFile(findings, app);
    } finally {
      await app.stop();
    }
    return { acknowledged: acknowledged.size, findings };
  },
};

/** Compares a history with what must be: every event once, in order, with one effect, counted once by each service. */
export function checkCounter(findings: Findings, history: CounterHistory): void {
  const expected = new Map<string, number>();
  const all = new Set<string>();
  for (let n = 0; n < history.until; n++) {
    const data = countedOf(n);
    all.add(idOf(data));
    expected.set(data.key, (expected.get(data.key) ?? 0) + 1);
  }
  const logged = checkLog(findings, "events", history.counted, all);
  for (const n of history.acknowledged)
    if (!logged.has(idOf(countedOf(n)))) findings.add("lost", `the acknowledged event ${idOf(countedOf(n))}`);
  for (const id of all) if (!logged.has(id)) findings.add("violations", `the event ${id} was never published`);
  const effective = checkLog(findings, "effects", history.effects, all);
  for (const id of all) if (!effective.has(id)) findings.add("lost", `the effect of ${id}`);
  for (const [service, documents] of Object.entries(history.documents)) {
    for (const [key, count] of expected) {
      const { count: counted, reordered } = documents.get(key) ?? { count: 0, reordered: 0 };
      findings.add("lost", `${service} counted ${counted} of ${count} events of ${key}`, count - counted);
      findings.add("doubled", `${service} counted ${counted} events of ${key}, which has ${count}`, counted - count);
      findings.add("reordered", `${service} saw events of ${key} out of order ${reordered} times`, reordered);
    }
  }
  checkTotals(findings, history.subscriptions);
}

/** Once each, per key in order, and nothing that nobody published. Answers with the ids that are there. */
function checkLog(findings: Findings, what: string, log: readonly Counted[], all: ReadonlySet<string>): Set<string> {
  const seen = new Set<string>();
  const last = new Map<string, number>();
  for (const entry of log) {
    const id = idOf(entry);
    if (!all.has(id)) findings.add("violations", `${what}: ${id} was never published`);
    if (seen.has(id)) findings.add("doubled", `${what}: ${id}`);
    else if (entry.seq < (last.get(entry.key) ?? -1)) findings.add("reordered", `${what}: ${id} stands too late`);
    seen.add(id);
    last.set(entry.key, Math.max(entry.seq, last.get(entry.key) ?? -1));
  }
  return seen;
}
