// npm run crash -- [--scenario NAME --kills N --seed S --json]: real processes, a real file, SIGKILL, and a count of the damage.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { birth, counter, fleet } from "./crash/counter.ts";
import { failures } from "./crash/failures.ts";
import { hitsWanted, KillPoints, rarestOf } from "./crash/points.ts";
import type { Scenario, ScenarioResult } from "./crash/scenario.ts";
import { shop } from "./crash/shop.ts";
import { isUsageError, sourceOf, UsageError } from "./usage.ts";

const scenarios: readonly Scenario[] = [counter, shop, fleet, failures, birth];

const drivers = ["node:sqlite", "better-sqlite3"];

const usage = `npm run crash -- [--scenario NAME --kills N --seed S --json --keep --source DIR --driver NAME]

  --scenario NAME  ${scenarios.map(({ name }) => name).join(", ")}; without it, each in turn
  --kills N        how often to kill a process, in each scenario (20)
  --seed S         seed of all chance (1)
  --json           the standard output is JSON lines
  --keep           leaves the files behind also when nothing is wrong, and says where they are
  --source DIR     the processes run this copy of src/ (else TIDINGS_SOURCE, else the repository's)
  --driver NAME    the library through which the processes open their file: ${drivers.join(", ")} (the first)
`;

function read() {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string" },
      kills: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      source: { type: "string" },
      driver: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const chosen = scenarios.filter(({ name }) => values.scenario === undefined || values.scenario === name);
  if (chosen.length === 0) {
    const names = scenarios.map(({ name }) => name).join(", ");
    throw new UsageError(`There is no scenario "${values.scenario}"; there are ${names}.`);
  }
  const [kills, seed] = [values.kills, values.seed].map(Number) as [number, number];
  if (!Number.isInteger(kills) || kills < 0) throw new UsageError("--kills takes a whole number.");
  if (!Number.isInteger(seed)) throw new UsageError("--seed takes a whole number.");
  if (values.driver !== undefined && !drivers.includes(values.driver))
    throw new UsageError(`--driver takes ${drivers.join(" or ")}.`);
  return { ...values, chosen, kills, seed, source: sourceOf(values.source) };
}

type Options = ReturnType<typeof read>;
/** What was done and found, of one scenario or of all. */
type Line = Record<"kills" | "acknowledged" | "lost" | "doubled" | "reordered" | "violations", number> & {
  readonly scenario: string;
  readonly seed: number;
} & Record<string, unknown>;

async function main(): Promise<number> {
  const options = read();
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const lines: Line[] = [];
  const points = new KillPoints([]);
  for (const scenario of options.chosen) {
    const line = await runOne(scenario, options, points);
    console.log(options.json ? JSON.stringify(line) : textOf(line));
    lines.push(line);
    points.add(line["killPoints"] as Readonly<Record<string, number>>);
  }
  const killPoints = points.hits();
  const sum = { ...sumOf(lines, options.seed), killPoints, rarest: rarestOf(killPoints) };
  if (lines.length > 1) console.log(options.json ? JSON.stringify(sum) : textOf(sum));
  return sum.lost + sum.doubled + sum.reordered + sum.violations === 0 ? 0 : 1;
}

/** Files of a run in which something was wrong, or that did not come to its end, are kept. */
async function runOne(
  scenario: Scenario,
  { kills, seed, keep, source, driver }: Options,
  before: KillPoints,
): Promise<Line> {
  const above = resolve(import.meta.dirname, "../.tmp");
  mkdirSync(above, { recursive: true });
  const folder = mkdtempSync(join(above, `crash-${scenario.name}-`));
  const say = (text: string): void => void process.stderr.write(`${scenario.name}: ${text}\n`);
  let good = false;
  try {
    const result = await scenario.run({ folder, kills, seed, say, source, driver, before });
    good = Object.values(result.counts).every((count) => count === 0);
    report(result, say);
    const { acknowledged, counts, points, stops } = result;
    const invariants = violatedBy(result.words);
    const rarest = rarestOf(points);
    return {
      scenario: scenario.name,
      seed,
      kills,
      acknowledged,
      ...counts,
      invariants,
      stops,
      killPoints: points,
      rarest,
    };
  } finally {
    if (!good) {
      const from =
        (source === undefined ? "" : ` --source ${source}`) + (driver === undefined ? "" : ` --driver ${driver}`);
      say(`reproduce it with: npm run crash -- --scenario ${scenario.name} --kills ${kills} --seed ${seed}${from}`);
    }
    if (keep || !good) say(`the files are in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

/** By invariant, how often it was violated; what is wrong with the file itself, or left over in it, counts as FILE. */
function violatedBy(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const each of words) {
    const [, invariant = "FILE"] = /^([A-Z]+[0-9]*): /.exec(each) ?? [];
    counts[invariant] = (counts[invariant] ?? 0) + 1;
  }
  return counts;
}

function report({ words, points, checked }: ScenarioResult, say: (text: string) => void): void {
  for (const each of words.slice(0, 30)) say(each);
  if (words.length > 30) say(`and ${words.length - 30} more`);
  if (checked.length > 0) say(`checked ${checked.join(", ")}`);
  say(`kill points: ${textOf(points)}`);
  say(`rarest: ${textOf(rarestOf(points))}`);
  const seldom = Object.values(points).filter((hits) => hits < hitsWanted).length;
  if (seldom > 0) say(`${seldom} kill points were hit less than ${hitsWanted} times: they need more kills`);
}

function sumOf(lines: readonly Line[], seed: number): Line {
  const sum: Line = {
    scenario: "all",
    seed,
    kills: 0,
    acknowledged: 0,
    lost: 0,
    doubled: 0,
    reordered: 0,
    violations: 0,
  };
  for (const line of lines)
    for (const name of ["kills", "acknowledged", "lost", "doubled", "reordered", "violations"] as const)
      sum[name] += line[name];
  return sum;
}

function textOf(line: Readonly<Record<string, unknown>>): string {
  return Object.entries(line)
    .filter(([, value]) => typeof value !== "object")
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

try {
  process.exitCode = await main();
} catch (error) {
  const misused = isUsageError(error);
  console.error(misused ? `${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = misused ? 2 : 1;
}
