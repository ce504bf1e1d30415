import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import { allFaultKinds, checkFaultKinds } from "../../testing/sim/fault-kinds.ts";
import type { SimulationOptions } from "../../testing/sim/options.ts";
import { seedNumber, seedText } from "../../testing/sim/seeds.ts";
import type { Violation } from "../../testing/check/violation.ts";
import { type FailedSeed, simulate, type SimulationReport } from "../../testing/sim/simulate.ts";
import { owned, withStrays } from "../../testing/strays.ts";
import { interruption } from "../interruption.ts";
import type { Output } from "../output.ts";
import { outputOf } from "../session.ts";
import { loadTestFile } from "../test-file.ts";
import { ofOption, parseWhole, plural } from "../values.ts";
import { commandOf, type Repeatable, tryAlone } from "./sim-alone.ts";

const examples = `Examples:
  tidings test sim --app sim.ts                       a hundred seeds
  tidings test sim --app sim.ts --seed 1-000042       one of them again
  tidings test sim --app sim.ts --faults crash,pause  only these kinds of faults
`;

interface Options {
  readonly app: string;
  readonly seeds?: string;
  readonly seed?: string;
  readonly faults?: string;
  readonly keep?: string;
  readonly events?: string;
  readonly shrink: boolean;
  readonly dryRun?: boolean;
}

/** `tidings test sim`. */
export function configure(command: Command): void {
  command
    .requiredOption("--app <file>", "a module that exports services and a workload by default")
    .option("--seeds <count>", "how many seeds (100, and 1 with --seed)")
    .option("--seed <seed>", "the first of them: a number, or as it was printed")
    .option("--faults <kinds>", `only these kinds of faults, or none: ${allFaultKinds.join(", ")}`)
    .option("--keep <numbers>", "only these faults of the seed, as a failure prints them, or none")
    .option("--events <count>", "so many events instead of what the seed says")
    .option("--no-shrink", "print what fails as it is, and do not look for less that fails")
    .option("--dry-run", "say what would be run")
    .addHelpText("before", examples)
    .action((options: Options) => run(command, options));
}

async function run(command: Command, options: Options): Promise<void> {
  const out = outputOf(command);
  const plan = planOf(options);
  const app = (await loadTestFile(options.app)) as unknown as SimulationOptions;
  const kinds = plan.faults ?? allFaultKinds;
  if (options.dryRun) {
    const would = { wouldRun: plan.seeds, seed: seedText(plan.seed), faults: kinds };
    return out.result(would, () => `Would run ${plural(plan.seeds, "seed")} from ${would.seed} on, with ${plural(kinds.length, "kind")} of faults.\n`); // prettier-ignore
  }
  const report = await runSeeds(app, plan, (text) => out.progress(text));
  if (options.shrink && report.failed.length > 0) out.progress("running what failed again, in a process of its own");
  const asked = { app: options.app, faults: options.faults, first: plan.seed, keep: plan.keep, events: plan.events };
  const failed = options.shrink
    ? await tryAlone(report.failed, asked, seedNumber, interruption.signal)
    : report.failed.map((each) => ({ ...each, command: commandOf(each, asked), stateOutside: false }));
  out.progress();
  for (const each of failed) complain(out, each);
  if (report.neverFired.length > 0) out.note(`never happened: ${report.neverFired.join(", ")}`);
  const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  await out.result({ ...summaryOf(report), faults, failed }, () => textOf(report, faults));
  if (report.violations === 0) return;
  throw new TidingsError("TIDINGS_VERIFY_FAILED", `${plural(failed.length, "seed")} of ${report.seeds} found ${plural(report.violations, "violation")}: run the command above again to see one.`); // prettier-ignore
}

/** Runs all seeds; what handlers left behind unawaited is a finding of the seed in which it failed. */
async function runSeeds(
  app: SimulationOptions,
  plan: ReturnType<typeof planOf>,
  progress: (text: string) => void,
): Promise<SimulationReport> {
  const strays: { readonly seed: string; readonly violation: Violation }[] = [];
  let seeds = 0;
  const onSeed = (done: number, of: number): void => {
    seeds = Math.min(done, of - 1);
    progress(`${done} of ${of} seeds`);
  };
  const report = await withStrays(
    () => simulate({ ...owned(app), ...plan, onSeed }),
    ({ message }) => strays.push({ seed: seedText(plan.seed + seeds), violation: { invariant: "OWN", message } }),
  );
  // What could not be made smaller is what was asked for.
  const asFound = report.failed.map((each) => ({ ...each, keep: each.keep ?? plan.keep, events: each.events ?? plan.events })); // prettier-ignore
  const failed = new Map<string, FailedSeed>(asFound.map((each) => [each.seed, each]));
  for (const { seed, violation } of strays) {
    // With less of the seed it need not come to it.
    const violations = [violation, ...(failed.get(seed)?.violations ?? [])];
    failed.set(seed, { seed, violations, keep: plan.keep, events: plan.events });
  }
  const inOrder = [...failed.values()].sort((a, b) => seedNumber(a.seed) - seedNumber(b.seed));
  return { ...report, failed: inOrder, violations: report.violations + strays.length };
}

function complain(out: Output, { command, violations, stateOutside }: Repeatable): void {
  out.complain(`problem: ${command}`);
  for (const { invariant, message } of violations.slice(0, 5)) out.complain(`  ${invariant}: ${message}`);
  if (stateOutside) out.complain("  With less it fails only after other runs in the same process: handlers keep state outside of ctx, such as a variable of their module, or take time or chance from elsewhere."); // prettier-ignore
}

function summaryOf({ seeds, steps, virtualMs, acknowledged, violations }: SimulationReport) {
  return { seeds, steps, virtualHours: Math.round(virtualMs / 36_000) / 100, acknowledged, violations };
}

function textOf(report: SimulationReport, faults: number): string {
  const { seeds, steps, virtualHours, acknowledged, violations } = summaryOf(report);
  return `${plural(seeds, "seed")}, ${steps} steps, ${faults} faults, ${virtualHours} virtual hours, ${acknowledged} events acknowledged, ${plural(violations, "violation")}.\n`;
}

function planOf({ seeds, seed, faults, keep, events, shrink }: Options) {
  const list = (text: string): readonly string[] => (text === "none" ? [] : text.split(","));
  return {
    seed: ofOption("--seed", () => seedNumber(seed ?? 1)),
    seeds: parseWhole("--seeds", seeds ?? (seed === undefined ? "100" : "1")),
    ...(keep === undefined ? {} : { keep: list(keep).map((text) => parseWhole("--keep", text, 0)) }),
    ...(events === undefined ? {} : { events: parseWhole("--events", events) }),
    ...(shrink ? {} : { shrinkRunsMax: 0 }),
    ...(faults === undefined ? {} : { faults: ofOption("--faults", () => checkFaultKinds(list(faults))) }),
  };
}
