import { spawn } from "node:child_process";
import type { FailedSeed } from "../../testing/sim/simulate.ts";

/** What `tidings test sim` was asked for, as far as a single seed has to know. */
export interface SimPlan {
  readonly app: string;
  readonly faults: string | undefined;
  /** Number of the first seed. */
  readonly first: number;
  readonly keep: readonly number[] | undefined;
  readonly events: number | undefined;
}

/** A seed that failed, with the command that lets it fail again. */
export interface Repeatable extends FailedSeed {
  readonly command: string;
  /** It fails otherwise in a process of its own: something is kept from one run to the next. */
  readonly stateOutside: boolean;
}

/** So many seeds are tried; they tell what becomes of the others. */
const triedMax = 5;

/**
 * Runs what failed again in a process of its own before it is told how: handlers that keep state in their module fail, or do
 * not, because of the runs before. What does not fail again with less is told whole; what does not fail again alone, with
 * all the runs up to it.
 */
export async function tryAlone(
  failed: readonly FailedSeed[],
  plan: SimPlan,
  numberOf: (seed: string) => number,
  signal: AbortSignal,
): Promise<readonly Repeatable[]> {
  const told: Repeatable[] = [];
  for (const each of failed) {
    const whole: FailedSeed = { ...each, keep: plan.keep, events: plan.events };
    const before = numberOf(each.seed) - plan.first;
    const isSmaller = each.keep !== whole.keep || each.events !== whole.events;
    if (told.length >= triedMax) {
      const stateOutside = told.some((one) => one.stateOutside);
      const one = stateOutside ? whole : each;
      told.push({ ...one, command: commandOf(one, plan), stateOutside });
    } else if (isSmaller && (await failsAgain(each, plan, signal))) {
      told.push({ ...each, command: commandOf(each, plan), stateOutside: false });
    } else if (before === 0 || (await failsAgain(whole, plan, signal))) {
      told.push({ ...whole, command: commandOf(whole, plan), stateOutside: isSmaller });
    } else {
      const all = { ...plan, seeds: before + 1 };
      told.push({ ...whole, command: commandOf({ ...whole, seed: String(plan.first) }, all), stateOutside: true });
    }
  }
  return told;
}

/** Whether it violates one of the same invariants in a fresh process. */
async function failsAgain(failed: FailedSeed, plan: SimPlan, signal: AbortSignal): Promise<boolean> {
  const [, entry = ""] = process.argv;
  const args = [...process.execArgv, entry, ...argumentsOf(failed, plan), "--no-shrink", "--json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"], signal });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  await new Promise<void>((done, broken) => void child.once("close", () => done()).once("error", broken));
  const again = new Set(failed.violations.map(({ invariant }) => invariant));
  try {
    const report = JSON.parse(text) as { readonly failed: readonly FailedSeed[] };
    return report.failed.some(({ violations }) => violations.some(({ invariant }) => again.has(invariant)));
  } catch {
    return false;
  }
}

function argumentsOf(
  { seed, keep, events }: Pick<FailedSeed, "seed" | "keep" | "events">,
  { app, faults, seeds }: SimPlan & { readonly seeds?: number },
): readonly string[] {
  return [
    "test", "sim", "--app", app, "--seed", seed,
    ...(seeds === undefined ? [] : ["--seeds", String(seeds)]),
    ...(faults === undefined ? [] : ["--faults", faults]),
    ...(keep ? ["--keep", keep.length === 0 ? "none" : keep.join(",")] : []),
    ...(events === undefined ? [] : ["--events", String(events)]),
  ]; // prettier-ignore
}

/** The command that runs a seed again. */
export const commandOf = (...given: Parameters<typeof argumentsOf>): string =>
  `tidings ${argumentsOf(...given).join(" ")}`;
