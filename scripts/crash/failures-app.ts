// The application of the scenario "failures": jobs that fail in every way, while an operator mends them.
import { setTimeout as sleep } from "node:timers/promises";
import { type App, type Context, PauseError, service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

import { chanceOf } from "../../examples/shop/random.ts";
import { collections } from "../../src/delivery/records.ts";
import { idOf, type Numbered } from "./publish.ts";
import { type Seen, withNumber } from "./seen.ts";
import { points } from "./speak.ts";
import { small, urlOf } from "./url.ts";

export const keyCount = 20;
const schema = z.object({ key: z.string(), seq: z.number() });

export const jobs = topic("jobs", { key: (data: Numbered) => data.key });
export const Job = jobs.event("crash.job", { data: schema });
export const results = topic("results", { key: (data: Numbered) => data.key });
export const Result = results.event("crash.result", { data: schema });

/** What a service has seen of each key, and the accounts between which jobs move money. */
export const seenBox = "seen";
export const accountBox = "accounts";
const accountCount = 40;
/** What somebody else writes while a job runs that has read it. */
const rivalBox = "rival";
/** So often the worker takes its time, and how long at most: what comes meanwhile waits in its lane. */
const slowShare = 0.08;
const slowMs = 25;

/** What lies in store for a job: `discard` fails for ever, the others until chance lets them through, or the last process when all is published. */
export type Fate = "good" | "flaky" | "stubborn" | "poison" | "discard";

/** The fate of a job in a service. */
export function fateOf(seed: number, serviceName: string, id: string): Fate {
  const chance = chanceOf(`${seed}/${serviceName}/${id}`);
  return chance < 0.01
    ? "discard"
    : chance < 0.07
      ? "poison"
      : chance < 0.09
        ? "stubborn"
        : chance < 0.13
          ? "flaky"
          : "good";
}

/** How often a try fails. */
const failing: Readonly<Record<Fate, number>> = { good: 0, flaky: 0.5, stubborn: 0.85, poison: 0.3, discard: 1 };

/** Who reads waits for what the event before it has written. Most fail before, while that one may still meet a conflict. */
const isEarly = (data: Numbered): boolean => chanceOf(`${idOf(data)}/early`) < 0.8;

export interface FailuresOptions {
  readonly file: string;
  readonly seed: number;
  /** Whether it has its services, or only looks. */
  readonly services: boolean;
  /** Whether what need not fail fails no more; false. */
  readonly calm?: () => boolean;
}

export function openFailures({ file, seed, services, calm }: FailuresOptions): App {
  let tries = 0;
  const attempt = (name: string, data: Numbered, number: number): void => {
    const fate = fateOf(seed, name, idOf(data));
    // Nothing poisonous gets through at first.
    const chance = fate === "poison" && number === 1 ? 0 : chanceOf(`${seed}/${process.pid}/${tries++}`);
    if (chance >= (calm?.() && fate !== "discard" ? 0 : failing[fate])) return;
    if (fate === "poison" || fate === "discard") throw new TerminalError(`A planted ${fate}.`);
    if (chance < 0.02) throw new PauseError("A planted pause.", 30);
    throw new Error(`A planted failure: ${fate}.`);
  };
  const worker = service("worker", { from: "start" }).on(Job, async ({ data }, ctx) => {
    points.reached("handler.before");
    const early = isEarly(data);
    if (early) attempt("worker", data, ctx.attempt);
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
    ctx.publish(Result, data);
    await transfer(ctx, data);
    await meetRival(ctx, data);
    const pace = chanceOf(`${idOf(data)}/pace`);
    if (pace < slowShare) await sleep((pace / slowShare) * slowMs);
    points.reached("handler.after");
    if (!early) attempt("worker", data, ctx.attempt);
    points.handlerEnded();
  });
  const sender = service("sender", { from: "start", onFailure: "skipAhead" }).on(Job, async ({ data }, ctx) => {
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
    attempt("sender", data, ctx.attempt);
  });
  const met = new Set<string>();
  /** The commit of a job conflicts the first time, while the next of its key fails: that one must not come before it. */
  const meetRival = async (ctx: Pick<Context, "state">, { key, seq }: Numbered): Promise<void> => {
    const [id, next] = [idOf({ key, seq }), { key, seq: seq + 1 }];
    const fate = fateOf(seed, "worker", idOf(next));
    if (met.has(id) || !isEarly(next) || (fate !== "poison" && fate !== "discard")) return;
    met.add(id);
    await ctx.state(rivalBox).get(key);
    const write = { collection: collections.state("worker", rivalBox), key, value: JSON.stringify(seq) };
    await app.engine.transact?.({ documents: [write], durable: false });
  };
  const app = tidings({
    name: "crash",
    url: urlOf(file, small),
    services: services ? [worker, sender] : [],
    topics: [jobs, results],
    delivery: { retry: { immediateMs: [0], delayedMs: [10, 20], stallsMax: 1000 } },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  return app;
}

/** Every other job moves money between two accounts, as jobs of other keys do at the same time. */
async function transfer(ctx: Pick<Context, "state">, data: Numbered): Promise<void> {
  if (data.seq % 2 === 1) return;
  const accounts = ctx.state<number>(accountBox);
  for (const [n, amount] of [-data.seq, data.seq].entries()) {
    const account = `${Math.floor(chanceOf(`${idOf(data)}/${n}`) * accountCount)}`;
    accounts.set(account, ((await accounts.get(account)) ?? 0) + amount);
  }
}
