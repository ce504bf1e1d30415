// A run: a server, members and publishers beside it, and a proxy between them; faults one after the other; then everything
// has to come to rest, and the checker looks for what is lost, doubled or out of order.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "tidings";

import { dice } from "../../examples/shop/random.ts";
import { openOracle, readOracle } from "../crash/oracle.ts";
import { judge, type Verdict } from "../crash/scenario.ts";
import { groups, keyCount, openChaos } from "./app.ts";
import { Fleet } from "./fleet.ts";
import { historyOf } from "./history.ts";
import { type Done, inflict, type Scene } from "./inflict.ts";
import { type JournalEnd, JournalView } from "./journal.ts";
import { connectionKinds, type Fault, lastsMs, planOf, type Size } from "./plan.ts";
import { FaultProxy } from "./proxy.ts";
import { Publishers } from "./publishers.ts";
import { RunningServer, type ServerKind } from "./server.ts";
import { Watch } from "./watch.ts";

/** Where members keep their state: on the server, in a file of the folder of the run, or in a journal on the broker. */
export const storeChoices = ["server", "file", "none"] as const;
export type StoreChoice = (typeof storeChoices)[number];

export interface ChaosRun {
  readonly kind: ServerKind;
  readonly size: Size;
  readonly seed: number;
  /** Within this everything has to go on when a fault is over. */
  readonly resumeWithinMs: number;
  /** Only faults of these kinds; of all, when left out. */
  readonly only: readonly string[] | undefined;
  /** An empty folder. */
  readonly folder: string;
  readonly store: StoreChoice;
  /** Another copy of `src/`, which members and publishers run. */
  readonly source: string | undefined;
  readonly say: (text: string) => void;
}

/** What came of it. */
export interface ChaosResult extends Verdict {
  readonly faults: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  /** Publishes that were refused, and those of which nobody was told the outcome. */
  readonly refused: number;
  readonly unknown: number;
  readonly errors: Readonly<Record<string, number>>;
  /** By kind of fault, the longest time until everything went on. */
  readonly resumedMs: Readonly<Record<string, number>>;
  readonly resumedMsMax: number;
  /** Without a store: how often something was done again, and what became of the journal. */
  readonly again: number | undefined;
  readonly journal: JournalEnd | undefined;
}

const membersPerGroup = 4;
/** Of the way to the server in each direction, so that there is always something under way that a fault can hit. */
const latencyMs = 10;
const stuckAfterMs = 10_000;
const settleMs = 180_000;
/** So often the next fault comes before the last one is got over. */
const atOnceShare = 0.25;

export async function runChaos(run: ChaosRun): Promise<ChaosResult> {
  const server = await RunningServer.open(run.kind);
  const proxy = await FaultProxy.listen(server.port, run.seed, latencyMs);
  const oracle = openOracle(join(run.folder, "acknowledged"));
  const problems: string[] = [];
  const complain = (words: string): void => {
    run.say(words);
    problems.push(words);
  };
  const fleet = new Fleet(run.source, join(run.folder, "trace"), complain);
  const publishers = new Publishers(oracle, complain);
  let app: App | undefined;
  let watch: Watch | undefined;
  try {
    const own = run.kind.ownFaults(server).map(({ name }) => name);
    const plan = planOf(run.size, run.seed, own).filter((fault) => run.only?.includes(nameOf(fault)) ?? true);
    const url = (n: number): string =>
      run.kind.url(server, proxy.port, { requestTimeoutMs: run.size.requestTimeoutsMs[n % 2] as number });
    const store = storeOf(run);
    // They come first: their copy of the sources makes the tables.
    await publishers.start(fleet, url, run.size, lastsMs(plan, run.size.comeBackMs));
    for (const group of groups)
      for (let n = 0; n < membersPerGroup; n++)
        await fleet.join(`${group}-${n}`, group, {
          url: url(n),
          ...store,
          group,
          memberTtlMs: run.size.memberTtlMs,
          stuckAfterMs,
        });
    const past = run.kind.url(server, server.port, { requestTimeoutMs: 2_000, busyTimeoutMs: 500 });
    const view = run.store === "none" ? new JournalView(past) : undefined;
    app = await (view?.app ?? openChaos({ url: past, ...store })).start();
    watch = new Watch(app);
    const scene: Scene = { server, proxy, fleet, chance: dice(`${run.seed}/chaos`), complain };
    const resumedMs = await faults(run, plan, scene, watch, publishers);
    run.say("the faults are over; waiting for rest");
    publishers.signal();
    await rest(app, fleet, publishers, run.resumeWithinMs, complain);
    await watch.stop();
    await fleet.stop();
    oracle.close();
    run.say("checking");
    const acknowledged = readOracle(join(run.folder, "acknowledged"));
    const answers = { ...publishers.counts, keyCount, acknowledged, refused: publishers.refused };
    const told = view && fleet.told;
    const { history, problems: damage, again } = await historyOf(app, { answers, positions: watch.positions, told });
    const journal = await view?.end(fleet.places);
    const verdict = judge(history, [...problems, ...damage, ...(journal?.problems ?? [])]);
    const total = publishers.counts.publishers * publishers.counts.events;
    return {
      ...verdict,
      faults: tally(plan),
      acknowledged: acknowledged.size,
      refused: publishers.refused.size,
      unknown: total - acknowledged.size - publishers.refused.size,
      errors: Object.fromEntries(publishers.errors),
      resumedMs,
      resumedMsMax: Math.max(0, ...Object.values(resumedMs)),
      again: view && again,
      journal: journal && { entries: journal.entries, removed: journal.removed },
    };
  } finally {
    publishers.abort();
    fleet.abort();
    await watch?.stop();
    await app?.stop().catch(() => undefined);
    await proxy.close();
    await server.close();
  }
}

function storeOf({ store, folder }: ChaosRun): { readonly store?: string } {
  if (store === "server") return {};
  return { store: store === "none" ? "" : `sqlite:${join(folder, "store.db")}` };
}

/** One after the other; answers by kind the longest time until everything went on. */
async function faults(
  run: ChaosRun,
  plan: readonly Fault[],
  scene: Scene,
  watch: Watch,
  publishers: Publishers,
): Promise<Record<string, number>> {
  const { chance, fleet, complain } = scene;
  const longest: Record<string, number> = {};
  publishers.signal();
  // Nothing is measured before everything runs.
  await watch.resumed(performance.now(), settleMs, publishers);
  for (const [index, fault] of plan.entries()) {
    const name = nameOf(fault);
    const done: Done = await inflict(scene, fault);
    const words = `fault ${index + 1} of ${plan.length}: ${name}, ${done.whom}`;
    const isConnections = (connectionKinds as readonly string[]).includes(fault.kind);
    if (isConnections && index + 1 < plan.length && chance.next() < atOnceShare) {
      run.say(`${words}; the next one at once`);
      continue;
    }
    const { ms, silent } = await watch.resumed(done.endMs, run.resumeWithinMs, publishers);
    longest[name] = Math.max(longest[name] ?? 0, ms);
    run.say(`${words}; on again after ${ms} ms`);
    for (const who of silent) complain(`${who}, was silent for ${ms} ms after ${name}.`);
    for (const group of groups) {
      if (!silent.some((who) => who.startsWith(`${group}/`))) continue;
      if (fleet.reports().every((report) => report.group !== group || report.status === "green"))
        complain(`${group} is silent after ${name}, and all its members say green.`);
    }
    await sleep(chance.between(0, 1_000));
  }
  return longest;
}

/** Waits until everything is published and handled, and nobody has anything to complain about. */
async function rest(
  app: App,
  fleet: Fleet,
  publishers: Publishers,
  withinMs: number,
  complain: (words: string) => void,
): Promise<void> {
  const timer = setTimeout(() => {
    complain("The publishers did not come to their end.");
    publishers.abort();
  }, settleMs);
  await publishers.ended();
  clearTimeout(timer);
  await app.settled({ timeoutMs: settleMs }).catch((error: unknown) => complain(String(error)));
  await allGreen(fleet, withinMs, complain);
}

/** A member that waits before it dials again may say for a while that it has no connection; it has to end. */
async function allGreen(fleet: Fleet, withinMs: number, complain: (words: string) => void): Promise<void> {
  const sinceMs = performance.now();
  for (;;) {
    const reports = fleet.reports();
    const notGreen = reports.filter(({ status }) => status !== "green");
    if (reports.every(({ atMs }) => atMs >= sinceMs) && notGreen.length === 0) return;
    if (performance.now() - sinceMs > withinMs) {
      for (const { member, status, reason } of notGreen)
        complain(`${member} says ${status} ${withinMs} ms after everything is handled: ${reason ?? "no reason"}.`);
      for (const { member, atMs } of reports)
        if (atMs < sinceMs) complain(`${member} has not said how it does for ${withinMs} ms.`);
      return;
    }
    await sleep(100);
  }
}

const nameOf = (fault: Fault): string => (fault.kind === "own" ? fault.name : fault.kind);

function tally(plan: readonly Fault[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const fault of plan) counts[nameOf(fault)] = (counts[nameOf(fault)] ?? 0) + 1;
  return counts;
}
