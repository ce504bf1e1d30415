// npm run planted-bugs -- [--only NAME,... --harness NAME --json --list]: whether the harnesses find bugs that are known.
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { closest } from "../src/lib/closest.ts";
import { serverKinds } from "./chaos/catalog.ts";
import { budgetText, type HarnessName, harnessNames, type PlantedBug } from "./planted-bugs/bug.ts";
import { catalogue } from "./planted-bugs/catalogue.ts";
import { staleBugs } from "./planted-bugs/patch.ts";
import { BrokenHarnessError, runAll } from "./planted-bugs/run.ts";
import { isUsageError, UsageError } from "./usage.ts";

const root = resolve(import.meta.dirname, "..");

const usage = `npm run planted-bugs -- [--only NAME,... --harness NAME --seed S --jobs N --json --list]

Plants one known bug after the other in a copy of the sources, and starts the harness that has to find it within its
budget; without a bug the harnesses must find nothing. The exit status is 1 when a bug survives.

  --only NAME,...  only these bugs
  --harness NAME   only the bugs of ${harnessNames.join(", ")}
  --seed S         seed of the harnesses (1)
  --jobs N         how many harnesses run at once (one for each processor)
  --json           the last line is one of JSON; progress goes to the standard error
  --list           says which bugs there are, and runs nothing
`;

/** A mistake in the command line, in a sentence that says how to mend it. */
function read() {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      harness: { type: "string" },
      seed: { type: "string", default: "1" },
      jobs: { type: "string", default: String(availableParallelism()) },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { harness } = values;
  if (harness !== undefined && !harnessNames.includes(harness as HarnessName))
    throw new UsageError(`There is no harness "${harness}"; there are ${harnessNames.join(", ")}.`);
  const [seed, jobs] = [Number(values.seed), Number(values.jobs)];
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UsageError("--seed takes a whole number.");
  if (!Number.isSafeInteger(jobs) || jobs < 1) throw new UsageError("--jobs takes a whole number of at least 1.");
  const named = values.only === undefined ? catalogue : values.only.split(",").map(bugCalled);
  const bugs = named.filter(({ budget }) => harness === undefined || budget.harness === harness);
  if (bugs.length === 0) throw new UsageError(`None of these bugs is one for ${harness}.`);
  return { ...values, seed, jobs, bugs };
}

function bugCalled(name: string): PlantedBug {
  const bug = catalogue.find((each) => each.name === name.trim());
  if (bug) return bug;
  const meant = closest(name, catalogue.map((each) => each.name)); // prettier-ignore
  const hint = meant === undefined ? "--list says which there are" : `did you mean "${meant}"`;
  throw new UsageError(`There is no planted bug "${name}"; ${hint}.`);
}

function list(bugs: readonly PlantedBug[], json: boolean): void {
  for (const { name, breaks, caughtBy, file, budget } of bugs) {
    if (json) console.log(JSON.stringify({ name, breaks, caughtBy, file, budget }));
    else console.log(`${name} (${budgetText(budget)}; ${caughtBy.join(", ")})\n  ${file}: ${breaks}`);
  }
}

/** What the chaos harness needs and is not there. */
function serversNotInstalled(bugs: readonly PlantedBug[]): readonly string[] {
  const engines = new Set(bugs.flatMap(({ budget }) => (budget.harness === "chaos" ? [budget.engine] : [])));
  return [...engines].filter((name) => !serverKinds.find((kind) => kind.name === name)?.service.find());
}

async function main(): Promise<number> {
  const { help, json, list: only, bugs, seed, jobs } = read();
  if (help) {
    process.stdout.write(usage);
    return 0;
  }
  if (only) {
    list(bugs, json);
    return 0;
  }
  // Before anything runs: a bug that is not planted would survive for nothing.
  const stale = staleBugs(root, bugs);
  for (const problem of stale) console.error(problem);
  const absent = serversNotInstalled(bugs);
  for (const name of absent)
    console.error(`${name} is not installed: npm run services -- up ${name} installs it, and --harness leaves it out.`);
  if (stale.length + absent.length > 0) return 2;
  const startedAt = performance.now();
  const say = (text: string): void => void process.stderr.write(`planted-bugs: ${text}\n`);
  const results = await runAll({ root, bugs, seed, jobs, say });
  const survivors = results.bugs.filter(({ found }) => !found).map(({ name }) => name);
  const falseAlarms = results.controls.filter(({ good }) => !good).map(({ budget }) => budget);
  const line = {
    planted: bugs.length,
    found: bugs.length - survivors.length,
    survived: survivors.length,
    survivors,
    controls: results.controls.length,
    falseAlarms,
    seconds: Math.round((performance.now() - startedAt) / 1000),
  };
  console.log(json ? JSON.stringify(line) : textOf(line));
  return survivors.length + falseAlarms.length === 0 ? 0 : 1;
}

function textOf({
  planted,
  found,
  survived,
  survivors,
  controls,
  falseAlarms,
  seconds,
}: Readonly<Record<"planted" | "found" | "survived" | "controls" | "seconds", number>> &
  Readonly<Record<"survivors" | "falseAlarms", readonly string[]>>): string {
  const names = survived > 0 ? ` (${survivors.join(", ")})` : "";
  const alarms = falseAlarms.length > 0 ? `, ${falseAlarms.length} of them with a false alarm` : "";
  return `${planted} planted, ${found} found, ${survived} survived${names}; ${controls} runs without a bug${alarms}; ${seconds} s`;
}

// An end that is asked for ends the harnesses, too.
for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(status));

try {
  process.exitCode = await main();
} catch (error) {
  const misused = isUsageError(error);
  const told = misused || error instanceof BrokenHarnessError;
  console.error(told ? `${(error as Error).message}${misused ? `\n\n${usage}` : ""}` : error);
  process.exitCode = told ? 2 : 1;
}
