// The scenario "shop": the example shop is killed and started again, and must end with the very events and documents of
// a shop that nobody killed.
import { join } from "node:path";

import { Faults } from "../../examples/shop/faults.ts";
import { generateOrders } from "../../examples/shop/feed/generator.ts";
import { timelineOf } from "../../examples/shop/feed/timeline.ts";
import { summarize } from "../../examples/shop/figures.ts";
import { openShop } from "../../examples/shop/shop.ts";
import { isDeepStrictEqual } from "node:util";
import type { App } from "tidings";

import { checkFile, checkTotals, Findings } from "./findings.ts";
import { type LogEntry, readTopic } from "./log.ts";
import { readOracle } from "./oracle.ts";
import type { Scenario } from "./scenario.ts";
import type { ShopTask } from "./shop-child.ts";
import { type KillPointName, killPoints } from "./points.ts";
import { runWithKills } from "./supervisor.ts";

const ordersPerKill = 25;

/** The shop's own handlers know of no kill points. */
const shopPoints = ["position", "claim", "lease-take", "lease-release"].flatMap((name) => [
  `${name}.before-commit`,
  `${name}.after-commit`,
]) as KillPointName[];

/** What a shop has published and what it has come to. */
export interface ShopHistory {
  readonly log: readonly LogEntry[];
  readonly summary: unknown;
}

export const shop: Scenario = {
  name: "shop",
  async run({ folder, kills, seed, say, source, driver, before }) {
    const task: ShopTask = { file: join(folder, "shop.db"), seed, orders: Math.max(300, kills * ordersPerKill) };
    const oracle = join(folder, "acknowledged");
    say("running a shop that nobody kills");
    const calmFolder = join(folder, "calm");
    const calmOracle = `${calmFolder}-acknowledged`;
    const program = join(import.meta.dirname, "shop-child.ts");
    const calmTask = { ...task, file: `${calmFolder}.db` };
    const common = { seed, say, source, driver, before, trace: join(folder, "trace") };
    await runWithKills({ ...common, oracle: calmOracle, kills: 0, slots: [], last: { program, task: () => calmTask } });
    const truth = await historyOf(calmTask.file, async () => undefined);
    const points = [...killPoints.always, ...shopPoints];
    const killed = await runWithKills({
      ...common, oracle, kills, slots: [{ program, task: () => task, points }], last: { program, task: () => task },
    }); // prettier-ignore
    say("checking");
    const findings = new Findings();
    const acknowledged = readOracle(oracle);
    const history = await historyOf(task.file, async (app) => {
      checkTotals(findings, (await app.totals()).subscriptions);
      await checkFile(findings, app);
    });
    const { facts } = timelineOf(generateOrders(task.orders, seed), "crash");
    const ids = new Set(history.log.map(({ id }) => id));
    for (const n of acknowledged) {
      const id = facts[n]?.publication[2]?.id;
      if (id === undefined || !ids.has(id)) findings.add("lost", `the acknowledged event ${id ?? n}`);
    }
    compareShops(findings, truth, history);
    return { acknowledged: acknowledged.size, ...killed, counts: findings.counts, words: findings.words, checked: [] };
  },
};

/** Reads all topics of a shop's file, with no service running. */
async function historyOf(file: string, look: (app: App) => Promise<void>): Promise<ShopHistory> {
  const faults = new Faults({ rate: 0, seed: 0, poisoned: new Set() });
  const app = openShop({ url: `sqlite:${file}`, faults, signal: new AbortController().signal });
  await app.start();
  try {
    const log: LogEntry[] = [];
    for (const { name } of await app.engine.topics.list()) log.push(...(await readTopic(app, name)));
    await look(app);
    return { log, summary: await summarize(app) };
  } finally {
    await app.stop();
  }
}

/** The same events, each as often, effects in the order of their causes, and the same figures. */
export function compareShops(findings: Findings, truth: ShopHistory, history: ShopHistory): void {
  const expected = tally(truth.log);
  const found = tally(history.log);
  for (const [what, count] of expected) {
    const times = found.get(what) ?? 0;
    findings.add("lost", `${what}: ${times} of ${count}`, count - times);
    findings.add("doubled", `${what}: ${times} instead of ${count}`, times - count);
  }
  for (const [what, times] of found)
    if (!expected.has(what)) findings.add("doubled", `${what}, which a calm shop has not`, times);
  checkOrder(findings, history.log);
  if (!isDeepStrictEqual(history.summary, truth.summary))
    findings.add(
      "violations",
      `the figures are ${JSON.stringify(history.summary)}, not ${JSON.stringify(truth.summary)}`,
    );
}

/** What an event says, without the id that it was given by chance. */
function said({ topic, type, key, data }: LogEntry): string {
  return `${topic} ${type} ${key ?? ""} ${JSON.stringify(data)}`;
}

function tally(log: readonly LogEntry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of log) counts.set(said(entry), (counts.get(said(entry)) ?? 0) + 1);
  return counts;
}

/**
 * What a service publishes on handling the events of a key on one topic stands in the order of those events. Between
 * topics there is no order.
 */
function checkOrder(findings: Findings, log: readonly LogEntry[]): void {
  const causes = new Map(log.map((entry) => [entry.id, entry]));
  const last = new Map<string, number>();
  for (const { topic, key, source, causationid, id } of log) {
    const cause = causationid === undefined ? undefined : causes.get(causationid);
    if (!cause || cause.key === null) continue;
    const lane = `${topic} ${key ?? ""} from ${source} on ${cause.topic} ${cause.key}`;
    if (cause.position < (last.get(lane) ?? -1)) findings.add("reordered", `${id} of ${lane}`);
    last.set(lane, Math.max(cause.position, last.get(lane) ?? -1));
  }
}
