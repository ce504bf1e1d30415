// The application of the scenario "failures": jobs that fail in every way, while an operator mends them.
import { type App, PauseError, service, TerminalError, tidings, topic } from "tidings";
import { z } from "zod";

import { chanceOf } from "../../examples/shop/random.ts";
import { small } from "./counter-app.ts";
import { idOf, type Numbered } from "./publish.ts";
import { type Seen, withNumber } from "./seen.ts";
import { points } from "./speak.ts";

export const keyCount = 30;
const schema = z.object({ key: z.string(), seq: z.number() });

export const jobs = topic("jobs", { key: (data: Numbered) => data.key });
export const Job = jobs.event("crash.job", { data: schema });
export const results = topic("results", { key: (data: Numbered) => data.key });
export const Result = results.event("crash.result", { data: schema });

export const seenBox = "seen";

/** What lies in store for a job: `discard` fails for ever, the others until chance or the last process lets them through. */
export type Fate = "good" | "flaky" | "stubborn" | "poison" | "discard";

/** The fate of a job in a service. */
export function fateOf(seed: number, serviceName: string, id: string): Fate {
  const chance = chanceOf(`${seed}/${serviceName}/${id}`);
  return chance < 0.02
    ? "discard"
    : chance < 0.08
      ? "poison"
      : chance < 0.13
        ? "stubborn"
        : chance < 0.2
          ? "flaky"
          : "good";
}

/** How often a try fails. */
const failing: Readonly<Record<Fate, number>> = { good: 0, flaky: 0.5, stubborn: 0.85, poison: 0.6, discard: 1 };

export interface FailuresOptions {
  readonly file: string;
  readonly seed: number;
  /** Whether it has its services, or only looks. */
  readonly services: boolean;
  /** The last process: what need not fail does not. */
  readonly last: boolean;
}

export function openFailures({ file, seed, services, last }: FailuresOptions): App {
  let tries = 0;
  const attempt = (name: string, data: Numbered): void => {
    const fate = fateOf(seed, name, idOf(data));
    const chance = chanceOf(`${seed}/${process.pid}/${tries++}`);
    if (chance >= (last && fate !== "discard" ? 0 : failing[fate])) return;
    if (fate === "poison" || fate === "discard") throw new TerminalError(`A planted ${fate}.`);
    if (chance < 0.02) throw new PauseError("A planted pause.", 30);
    throw new Error(`A planted failure: ${fate}.`);
  };
  const worker = service("worker", { from: "start" }).on(Job, async ({ data }, ctx) => {
    points.reached("handler.before");
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
    ctx.publish(Result, data);
    points.reached("handler.after");
    attempt("worker", data);
    points.handlerEnded();
  });
  const sender = service("sender", { from: "start", onFailure: "skipAhead" }).on(Job, async ({ data }, ctx) => {
    const box = ctx.state<Seen>(seenBox);
    box.set(data.key, withNumber(await box.get(data.key), data.seq));
    attempt("sender", data);
  });
  return tidings({
    name: "crash",
    url: `sqlite:${file}?${small}`,
    services: services ? [worker, sender] : [],
    topics: [jobs, results],
    delivery: { retry: { immediateMs: [0], delayedMs: [10, 20], stallsMax: 1000 } },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
}
