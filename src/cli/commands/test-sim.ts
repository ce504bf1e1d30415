import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import { allFaultKinds, checkFaultKinds } from "../../testing/sim/fault-kinds.ts";
import type { SimulationOptions } from "../../testing/sim/options.ts";
import { seedNumber, seedText } from "../../testing/sim/seeds.ts";
import { type FailedSeed, simulate, type SimulationReport } from "../../testing/sim/simulate.ts";
import { outputOf } from "../session.ts";
import { loadTestFile } from "../test-file.ts";
import { ofOption, parseWhole, plural } from "../values.ts";

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
  const report = await simulate({
    ...app,
    ...plan,
    onSeed: (done, of) => out.progress(`${done} of ${of} seeds`),
  });
  out.progress();
  for (const failed of report.failed) {
    out.complain(`problem: ${commandOf(failed, options)}`);
    for (const { invariant, message } of failed.violations.slice(0, 5)) out.complain(`  ${invariant}: ${message}`);
  }
  if (report.neverFired.length > 0) out.note(`never happened: ${report.neverFired.join(", ")}`);
  const faults = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
  await out.result({ ...summaryOf(report), faults, failed: report.failed }, () => textOf(report, faults));
  if (report.violations === 0) return;
  throw new TidingsError("TIDINGS_VERIFY_FAILED", `${plural(report.failed.length, "seed")} of ${report.seeds} found ${plural(report.violations, "violation")}: run the command above again to see one.`); // prettier-ignore
}

function summaryOf({ seeds, steps, virtualMs, acknowledged, violations }: SimulationReport) {
  return { seeds, steps, virtualHours: Math.round(virtualMs / 36_000) / 100, acknowledged, violations };
}

function textOf(report: SimulationReport, faults: number): string {
  const { seeds, steps, virtualHours, acknowledged, violations } = summaryOf(report);
  return `${plural(seeds, "seed")}, ${steps} steps, ${faults} faults, ${virtualHours} virtual hours, ${acknowledged} events acknowledged, ${plural(violations, "violation")}.\n`;
}

function planOf({ seeds, seed, faults, keep, events }: Options) {
  const list = (text: string): readonly string[] => (text === "none" ? [] : text.split(","));
  return {
    seed: ofOption("--seed", () => seedNumber(seed ?? 1)),
    seeds: parseWhole("--seeds", seeds ?? (seed === undefined ? "100" : "1")),
    ...(faults === undefined ? {} : { faults: ofOption("--faults", () => checkFaultKinds(list(faults))) }),
    ...(keep === undefined ? {} : { keep: list(keep).map((text) => parseWhole("--keep", text, 0)) }),
    ...(events === undefined ? {} : { events: parseWhole("--events", events) }),
  };
}

/** The command that runs a seed again, or as little of it as still fails. */
function commandOf({ seed, keep, events }: FailedSeed, { app, faults }: Options): string {
  const parts = [`tidings test sim --app ${app} --seed ${seed}`];
  if (faults !== undefined) parts.push(`--faults ${faults}`);
  if (keep) parts.push(`--keep ${keep.length === 0 ? "none" : keep.join(",")}`);
  if (events !== undefined) parts.push(`--events ${events}`);
  return parts.join(" ");
}
