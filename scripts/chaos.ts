// npm run chaos -- [--engine NAME --scale X --seed S --json]: a real server that dies, hangs and is cut off, and a count of
// the damage.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { serverKinds } from "./chaos/catalog.ts";
import { type Size, sizeOf } from "./chaos/plan.ts";
import { type ChaosResult, runChaos, type StoreChoice, storeChoices } from "./chaos/run.ts";
import type { ServerKind } from "./chaos/server.ts";
import { isUsageError, sourceOf, UsageError } from "./usage.ts";

const resumeWithinMsDefault = 30_000;

const usage = `npm run chaos -- [--engine NAME --scale X --events N --seed S --store WHERE --only KIND,... --resume-within MS --json --keep --source DIR]

  --engine NAME       ${serverKinds.map(({ name }) => name).join(", ")}; without it, each in turn
  --scale X           how much of a full run to do (1); below 0.5 pauses are short and there is no outage
  --events N          how many events to publish; with the scale unless given
  --seed S            seed of all chance (1)
  --store WHERE       where members keep their state: server, file (SQLite), or none, that is in the journal of a broker
                      (server, and file where it holds none)
  --only KIND,...     only faults of these kinds
  --resume-within MS  how soon everything has to go on when a fault is over (${resumeWithinMsDefault})
  --json              the standard output is JSON lines
  --keep              leaves the files behind also when nothing is wrong, and says where they are
  --source DIR        members and publishers run this copy of src/ (else TIDINGS_SOURCE, else the repository's)
`;

function read() {
  const { values } = parseArgs({
    options: {
      engine: { type: "string" },
      scale: { type: "string", default: "1" },
      events: { type: "string" },
      seed: { type: "string", default: "1" },
      store: { type: "string" },
      only: { type: "string" },
      "resume-within": { type: "string", default: String(resumeWithinMsDefault) },
      json: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      source: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const chosen = chosenBy(values);
  const scale = numberOf("scale", values.scale);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new UsageError("--seed takes a whole number.");
  const events = values.events === undefined ? {} : { events: numberOf("events", values.events) };
  const size: Size = { ...sizeOf(scale), ...events };
  const resumeWithinMs = numberOf("resume-within", values["resume-within"]);
  const only = values.only?.split(",").map((name) => name.trim());
  return { ...values, chosen, scale, size, seed, source: sourceOf(values.source), resumeWithinMs, only };
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new UsageError(`--${name} takes a number greater than 0.`);
  return number;
}

function chosenBy({ engine, store }: { readonly engine?: string; readonly store?: string }) {
  const named = serverKinds.filter(({ name }) => engine === undefined || engine === name);
  const names = serverKinds.map(({ name }) => name).join(", ");
  if (named.length === 0) throw new UsageError(`There is no server for the engine "${engine}"; there are ${names}.`);
  if (store !== undefined && !(storeChoices as readonly string[]).includes(store))
    throw new UsageError(`--store takes ${storeChoices.join(", ")}.`);
  const chosen = named.map((kind) => ({
    kind,
    store: (store ?? (kind.holdsState ? "server" : "file")) as StoreChoice,
  }));
  const can = chosen.filter(({ kind, store }) => store === "file" || (store === "server") === kind.holdsState);
  if (can.length > 0) return can;
  throw new UsageError(
    store === "none"
      ? `--store none: ${engine} holds state itself and keeps no journal.`
      : `--store server: ${engine} holds no state.`,
  );
}

type Options = ReturnType<typeof read>;

async function main(): Promise<number> {
  const options = read();
  if (options.help) {
    console.log(usage);
    return 0;
  }
  let isGood = true;
  for (const { kind, store } of options.chosen) {
    const { line, good } = await runOne(kind, store, options);
    console.log(options.json ? JSON.stringify(line) : textOf(line));
    isGood &&= good;
  }
  return isGood ? 0 : 1;
}

/** Files of a run in which something was wrong, or that did not come to its end, are kept. */
async function runOne(kind: ServerKind, store: StoreChoice, options: Options) {
  const { size, seed, source, resumeWithinMs, scale, keep, only } = options;
  const above = resolve(import.meta.dirname, "../.tmp");
  mkdirSync(above, { recursive: true });
  const folder = mkdtempSync(join(above, `chaos-${kind.name}-`));
  const began = performance.now();
  const say = (text: string): void =>
    void process.stderr.write(`${kind.name} ${((performance.now() - began) / 1000).toFixed(1)} s: ${text}\n`);
  let good = false;
  try {
    const result = await runChaos({ kind, size, seed, source, resumeWithinMs, only, folder, store, say });
    good = Object.values(result.counts).every((count) => count === 0);
    for (const words of result.words.slice(0, 40)) say(words);
    if (result.words.length > 40) say(`and ${result.words.length - 40} more`);
    say(`checked ${result.checked.join(", ")}`);
    return { line: lineOf(kind, store, options, result, (performance.now() - began) / 1000), good };
  } finally {
    const from = source === undefined ? "" : ` --source ${source}`;
    if (!good)
      say(
        `do it again with: npm run chaos -- --engine ${kind.name} --scale ${scale} --seed ${seed}${options.store === undefined ? "" : ` --store ${store}`}${from}${only ? ` --only ${only.join(",")}` : ""}`,
      );
    if (keep || !good) say(`what was acknowledged is in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

function lineOf(
  { name }: ServerKind,
  store: StoreChoice,
  { seed, scale, size, resumeWithinMs }: Options,
  result: ChaosResult,
  s: number,
) {
  const { faults, acknowledged, refused, unknown, counts, errors, resumedMs, resumedMsMax, again, journal } = result;
  const sum = Object.values(faults).reduce((all, count) => all + count, 0);
  const invariants: Record<string, number> = {};
  for (const each of result.words) {
    const [, invariant = "RUN"] = /^([A-Z]+[0-9]*): /.exec(each) ?? [];
    invariants[invariant] = (invariants[invariant] ?? 0) + 1;
  }
  return {
    engine: name, store, seed, scale, events: size.events, faults: sum, acknowledged, ...counts, resumedMsMax, resumeWithinMs,
    refused, unknown, ...(journal ? { again, journalEntries: journal.entries, journalRemoved: journal.removed } : {}), invariants, seconds: Math.round(s), faultsByKind: faults, resumedMsByKind: resumedMs, errors,
  }; // prettier-ignore
}

function textOf(line: Readonly<Record<string, unknown>>): string {
  return Object.entries(line)
    .filter(([, value]) => typeof value !== "object")
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

// Whoever ends this ends all that it has started: what is left does so when the process exits.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => process.exit(1));

try {
  process.exitCode = await main();
} catch (error) {
  const misused = isUsageError(error);
  console.error(misused ? `${(error as Error).message}\n\n${usage}` : error);
  process.exitCode = misused ? 2 : 1;
}
