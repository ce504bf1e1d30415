// npm run crash -- [--scenario NAME --kills N --seed S --json]: a real process, a real file, SIGKILL, and a count of the damage.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { counter } from "./crash/counter.ts";
import type { Scenario } from "./crash/scenario.ts";
import { shop } from "./crash/shop.ts";

const scenarios: readonly Scenario[] = [counter, shop];

const usage = `npm run crash -- [--scenario NAME --kills N --seed S --json --keep]

  --scenario NAME  ${scenarios.map(({ name }) => name).join(" or ")}; without it, each in turn
  --kills N        how often to kill the process (20)
  --seed S         seed of all chance (1)
  --json           the standard output is JSON lines
  --keep           leaves the files behind and says where they are
`;

class UsageError extends Error {}

function read() {
  const { values } = parseArgs({
    options: {
      scenario: { type: "string" },
      kills: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const chosen = scenarios.filter(({ name }) => values.scenario === undefined || values.scenario === name);
  if (chosen.length === 0) throw new UsageError(`There is no scenario "${values.scenario}".`);
  const [kills, seed] = [values.kills, values.seed].map(Number) as [number, number];
  if (!Number.isInteger(kills) || kills < 0) throw new UsageError("--kills takes a whole number.");
  if (!Number.isInteger(seed)) throw new UsageError("--seed takes a whole number.");
  return { ...values, chosen, kills, seed };
}

async function main(): Promise<number> {
  const { chosen, kills, seed, json, keep, help } = read();
  if (help) {
    console.log(usage);
    return 0;
  }
  let status = 0;
  for (const scenario of chosen) {
    const above = resolve(import.meta.dirname, "../.tmp");
    mkdirSync(above, { recursive: true });
    const folder = mkdtempSync(join(above, `crash-${scenario.name}-`));
    const say = (text: string): void => void process.stderr.write(`${scenario.name}: ${text}\n`);
    try {
      const { acknowledged, findings } = await scenario.run({ folder, kills, seed, say });
      for (const words of findings.words) say(words);
      const line = { scenario: scenario.name, seed, kills, acknowledged, ...findings.counts };
      console.log(json ? JSON.stringify(line) : textOf(line));
      if (!findings.none) status = 1;
    } finally {
      if (keep) say(`the files are in ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    }
  }
  return status;
}

function textOf(line: Readonly<Record<string, string | number>>): string {
  return Object.entries(line)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

try {
  process.exitCode = await main();
} catch (error) {
  const misused =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;
  console.error(misused ? `${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = misused ? 2 : 1;
}
