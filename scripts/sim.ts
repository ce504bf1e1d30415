// npm run sim -- [--seeds N --seed S --faults NAMES --json]: the real runtime on virtual time, under faults, seed by seed.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkFaultKinds, faultKinds, seedNumber, type SimulationReport } from "tidings/testing";

import { isFirstKind } from "../src/testing/sim/fault-kinds.ts";
import { flags } from "./launch/run.mjs";
import { add, commandOf, nothing, type SimSum, type SimTask } from "./sim/lines.ts";
import { isUsageError, UsageError } from "./usage.ts";

const kinds = Object.keys(faultKinds);

const usage = `npm run sim -- [--seeds N --seed S --faults NAMES --workers N --json]

  --seeds N        how many seeds (100, and 1 where --seed is given)
  --seed S         the first of them: a number, or as it was printed, such as 1-000042 (1)
  --faults NAMES   only these kinds of faults: ${kinds.join(", ")}; or none
  --keep NUMBERS   only these faults of the plan of the seed, as a shrunk seed prints them; or none
  --events N       so many events instead of what the seed says
  --shrink N       how often a seed that fails is run again to make it smaller (60)
  --workers N      how many processes (one for each core)
  --regressions    the seeds that once found something, instead
  --json           the standard output is JSON lines; progress goes to the standard error

Seeds may be many millions of steps: a hundred seeds are about half a million.
`;

/** Seeds that one process runs before it answers: few enough to see progress, many enough to warm up. */
const chunk = 50;

interface Options {
  readonly tasks: readonly SimTask[];
  readonly workers: number;
  readonly json: boolean;
  readonly faults: string | undefined;
}

function read(): Options | undefined {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      seed: { type: "string" },
      faults: { type: "string" },
      keep: { type: "string" },
      events: { type: "string" },
      shrink: { type: "string" },
      workers: { type: "string", default: String(availableParallelism()) },
      regressions: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const number = (name: string, text: string, least: number): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least)
      throw new UsageError(`--${name} takes a whole number of at least ${least}, not "${text}".`);
    return value;
  };
  const list = (text: string): readonly string[] => (text === "none" ? [] : text.split(","));
  const more = {
    ...(values.faults === undefined ? {} : { faults: list(values.faults) }),
    ...(values.keep === undefined ? {} : { keep: list(values.keep).map((text) => number("keep", text, 0)) }),
    ...(values.shrink === undefined ? {} : { shrinkRunsMax: number("shrink", values.shrink, 0) }),
    ...(values.events === undefined ? {} : { events: number("events", values.events, 1) }),
  };
  const seeds = number("seeds", values.seeds ?? (values.seed === undefined ? "100" : "1"), 1);
  const seed = seedNumber(values.seed ?? "1");
  if (more.faults) checkFaultKinds(more.faults);
  const tasks: SimTask[] = [];
  if (values.regressions) for (const each of regressions()) tasks.push({ seeds: 1, ...each });
  else for (let at = 0; at < seeds; at += chunk) tasks.push({ seed: seed + at, seeds: Math.min(chunk, seeds - at), ...more }); // prettier-ignore
  return { tasks, workers: number("workers", values.workers, 1), json: values.json, faults: values.faults };
}

/** Seeds that found a fault that is mended now; some of them shrunk, when all of the seed would hide it. */
function regressions(): readonly Omit<SimTask, "seeds">[] {
  const file = join(import.meta.dirname, "sim/regressions.json");
  const { seeds } = JSON.parse(readFileSync(file, "utf8")) as {
    seeds: (Omit<SimTask, "seeds"> & { kinds?: "first" })[];
  };
  // What came later would hide what they have found.
  const first = { faults: kinds.filter(isFirstKind) };
  return seeds.map(({ kinds: which, ...seed }) => (which === "first" ? { ...first, ...seed } : seed));
}

function run(task: SimTask): Promise<SimulationReport> {
  const program = join(import.meta.dirname, "sim/child.ts");
  const child = spawn(process.execPath, [...flags, program, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] }); // prettier-ignore
  let output = "";
  child.stdout.on("data", (text) => (output += String(text)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(JSON.parse(output) as SimulationReport);
      else reject(new Error(`The seeds from ${task.seed} on ended with ${signal ?? code}: npm run sim -- --seed ${task.seed} --seeds ${task.seeds} --workers 1`)); // prettier-ignore
    });
  });
}

async function main(): Promise<number> {
  const options = read();
  if (!options) {
    process.stdout.write(usage);
    return 0;
  }
  const { tasks, workers, json, faults } = options;
  const total = tasks.reduce((sum, { seeds }) => sum + seeds, 0);
  const sum = nothing();
  const queue = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = queue.shift(); task; task = queue.shift()) {
      const report = await run(task);
      add(sum, report);
      for (const failed of report.failed) tell(failed, faults, json);
      process.stderr.write(`${sum.seeds} of ${total} seeds, ${sum.steps} steps, ${sum.violations} violations\n`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  close(sum, faults, json);
  return sum.violations > 0 ? 1 : 0;
}

function tell(failed: SimSum["failed"][number], faults: string | undefined, json: boolean): void {
  const command = commandOf(failed, faults);
  process.stderr.write(`${command}\n`);
  for (const { invariant, message } of failed.violations.slice(0, 5))
    process.stderr.write(`  ${invariant}: ${message}\n`);
  if (failed.violations.length > 5) process.stderr.write(`  and ${failed.violations.length - 5} more\n`);
  if (json) process.stdout.write(`${JSON.stringify({ seed: failed.seed, command, violations: failed.violations })}\n`);
}

function close(sum: SimSum, faults: string | undefined, json: boolean): void {
  const { seeds, steps, virtualMs, acknowledged, lost, doubled, reordered, violations } = sum;
  const allowed = faults === undefined ? kinds : faults === "none" ? [] : faults.split(",");
  const neverFired = allowed.filter((kind) => sum.faults[kind as keyof typeof faultKinds] === undefined);
  const count = Object.values(sum.faults).reduce((all, each) => all + each, 0);
  const byKind = Object.fromEntries(Object.entries(sum.faults).sort(([a], [b]) => (a < b ? -1 : 1)));
  const virtualHours = Math.round(virtualMs / 36_000) / 100;
  if (neverFired.length > 0) process.stderr.write(`never happened: ${neverFired.join(", ")}\n`);
  if (json) {
    console.log(JSON.stringify({ faultsByKind: byKind, neverFired }));
    console.log(JSON.stringify({ seeds, steps, faults: count, virtualHours, acknowledged, lost, doubled, reordered, violations })); // prettier-ignore
    return;
  }
  for (const [kind, times] of Object.entries(byKind)) console.log(`${kind} ${times}`);
  console.log(`${seeds} seeds, ${steps} steps, ${count} faults, ${virtualHours} virtual hours, ${acknowledged} events acknowledged, ${violations} violations`); // prettier-ignore
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code } = error as { readonly code?: string };
  const misused = isUsageError(error) || code === "TIDINGS_INVALID_OPTION";
  process.stderr.write(misused ? `${(error as Error).message}\n\n${usage}` : `${(error as Error).stack}\n`);
  process.exitCode = misused ? 2 : 1;
}
