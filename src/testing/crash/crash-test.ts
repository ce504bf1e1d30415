import { hasCode, TidingsError } from "../../errors/tidings-error.ts";
import type { Service } from "../../delivery/service.ts";
import { virtualPlatform } from "../../platform/virtual.ts";
import type { CrashPoint } from "../crash-points.ts";
import { Session } from "../session.ts";
import { settle } from "../settle.ts";
import { Dice } from "../sim/dice.ts";
import { compareRuns } from "./compare.ts";
import {
  type CheckedCrashTest,
  checkCrashTest,
  type CrashPublication,
  type CrashReport,
  type CrashStep,
  type CrashTestOptions,
} from "./options.ts";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";

const points: readonly CrashPoint[] = ["before-handler", "before-commit", "after-commit"];

/** A handler of a service. */
interface Target {
  readonly service: string;
  readonly event: string;
}

/**
 * Runs the workload once without a crash, and then once for each handler and each crash point, with the process dying
 * there; compares what each came to. In memory, on virtual time. What the crash did nothing to is in the report as well.
 * Throws TIDINGS_INVALID_OPTION, and what the application throws.
 *
 * @example
 * const report = await crashTest({ services: [payments], workload: (w) => w.publish([OrderPlaced, { orderId: "42" }]) });
 * assert.equal(report.lost + report.doubled + report.reordered + report.leftOver, 0);
 */
export async function crashTest(options: CrashTestOptions): Promise<CrashReport> {
  const checked = checkCrashTest(options);
  const { targets, snapshot: calm } = await run(checked, undefined);
  const chosen = targets.filter(({ service }) => checked.service === undefined || service === checked.service);
  if (chosen.length === 0) throw nothingToCrash(checked, targets);
  const steps: CrashStep[] = [];
  for (const target of chosen)
    for (const point of points) {
      const { crashes, snapshot } = await run(checked, { ...target, at: point });
      const step = { point, ...target, crashes, ...compareRuns(calm, snapshot) };
      steps.push(step);
      checked.onStep?.(step, steps.length, chosen.length * points.length);
    }
  const sum = (name: "crashes" | "lost" | "doubled" | "reordered" | "leftOver" | "outside"): number =>
    steps.reduce((all, step) => all + step[name], 0);
  return {
    steps,
    crashes: sum("crashes"),
    lost: sum("lost"),
    doubled: sum("doubled"),
    reordered: sum("reordered"),
    leftOver: sum("leftOver"),
    outside: sum("outside"),
  };
}

function nothingToCrash({ service }: CheckedCrashTest, targets: readonly Target[]): TidingsError {
  const known = [...new Set(targets.map((target) => target.service))].join(", ");
  return new TidingsError(
    "TIDINGS_INVALID_OPTION",
    service === undefined
      ? "crashTest() was given no service with a handler; name at least one."
      : `crashTest() was asked for the service "${service}", and there is no such one with handlers; there are ${known}.`,
  );
}

/** Time is given to retries in such steps, for as long as the longest ladder of retries may take. */
const stepMs = 60_000;
const patienceMs = 25 * 60 * 60 * 1000;

async function run(
  options: CheckedCrashTest,
  crash: (Target & { readonly at: CrashPoint }) | undefined,
): Promise<{ targets: readonly Target[]; crashes: number; snapshot: Snapshot }> {
  const { name = "crash", services, topics = [], app = {}, seed, times } = options;
  const outside = new Map<string, number>();
  const started = typeof services === "function" ? services({ epoch: 1, seed, outside }) : services;
  const session = await Session.open(
    {
      app: { ...app, name, topics },
      platform: virtualPlatform({ seed, startMs }),
      handlerTimeoutMs: 5000,
      turnsMax: 100_000,
    },
    started,
  );
  try {
    const collections = noteCollections(session);
    const targets = targetsOf(started);
    if (crash) {
      const route = started.find((each) => each.name === crash.service)?.routes.get(crash.event);
      session.points.arm({ at: crash.at, service: crash.service, times, ...(route ? { event: route.contract } : {}) });
    }
    await options.workload(workloadOf(session, seed));
    await letTimePass(session);
    await session.recording.read();
    const { observer, recording, clock } = session;
    const taken = { observer, recorded: recording.all(), collections, outside, nowMs: clock.now() };
    return { targets, crashes: session.crashes, snapshot: await takeSnapshot(taken) };
  } finally {
    await session.close();
  }
}

const startMs = Date.UTC(2026, 0, 1);

function targetsOf(services: readonly Service[]): readonly Target[] {
  return services.flatMap(({ name, routes }) => [...routes.keys()].map((event) => ({ service: name, event })));
}

/** Notes where services keep their state, on the way there. */
function noteCollections(session: Session): ReadonlySet<string> {
  const collections = new Set<string>();
  session.faults.add(({ transaction }) => {
    for (const { collection } of transaction?.documents ?? [])
      if (collection.startsWith("state/")) collections.add(collection);
    return undefined;
  });
  return collections;
}

function workloadOf(session: Session, seed: number) {
  let ids = 0;
  const publishAll = async (publications: readonly CrashPublication[]): Promise<void> => {
    // With ids of its own, so that it can be repeated when the process dies before it has answered.
    const identified = publications.map(([contract, data, options]) => [
      contract,
      data,
      { ...options, id: options?.id ?? `e${ids++}` },
    ]);
    for (;;) {
      try {
        await session.drive(session.process.app.publishAll(identified as never));
        break;
      } catch (error) {
        if (!hasCode(error, "TIDINGS_OUTCOME_UNKNOWN")) throw error;
        await session.idle();
      }
    }
    await settle(session);
  };
  return {
    dice: new Dice(seed, "crash test"),
    seed,
    publish: (publication: CrashPublication) => publishAll([publication]),
    publishAll,
    async sleep(delayMs: number): Promise<void> {
      await session.advance(delayMs);
      await settle(session);
    },
  };
}

/** Until nothing waits for a retry any more. */
async function letTimePass(session: Session): Promise<void> {
  const until = session.clock.now() + patienceMs;
  for (let wait = 1000; session.clock.now() < until; wait = Math.min(stepMs * 10, wait * 2)) {
    const { subscriptions } = await session.drive(session.process.app.totals());
    const waiting = subscriptions.some(
      ({ pending, heldRetrying, paused }) =>
        heldRetrying > 0 || (pending > 0 && (!paused || paused.untilMs !== undefined)),
    );
    if (!waiting) return;
    await session.advance(wait);
    await settle(session);
  }
}
