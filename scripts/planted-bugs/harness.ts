// Starts a harness inside a copy of the sources, and reads from its last line what it has found.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

import { flags } from "../launch/run.mjs";
import type { Budget } from "./bug.ts";

/** What came of a run. */
export interface Outcome {
  /** By invariant, how often it was violated; empty when nothing is wrong. */
  readonly violations: Readonly<Record<string, number>>;
  /** Why the harness has no result: it ended otherwise than with a verdict. That is no find. */
  readonly broken: string | undefined;
  /** What the harness said of them: `KIND: a sentence`. */
  readonly words: readonly string[];
  readonly seconds: number;
}

/** A harness that is still at work after this hangs. Where a real server dies and comes back, all of it takes longer. */
const timeoutMsOf = ({ harness }: Budget): number => (harness === "chaos" ? 420_000 : 180_000);

const living = new Set<ChildProcess>();
// Nothing outlives the command.
process.once("exit", () => {
  for (const child of living) killGroup(child);
});

/** Runs a harness in the folder. Never rejects because of what the harness does. */
export async function runHarness(folder: string, budget: Budget, seed: number): Promise<Outcome> {
  const startedAt = performance.now();
  const [script, ...args] = commandOf(budget);
  const child = spawn(
    process.execPath,
    [...flags, join(folder, script as string), ...args, `--seed=${seed}`, "--json"],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that its processes end with it.
      detached: true,
      env: environment(),
    },
  );
  living.add(child);
  const timeoutMs = timeoutMsOf(budget);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child);
  }, timeoutMs);
  const [stdout, stderr, code] = await Promise.all([textOf(child, "stdout"), textOf(child, "stderr"), endOf(child)]);
  clearTimeout(timer);
  living.delete(child);
  killGroup(child);
  const seconds = (performance.now() - startedAt) / 1000;
  if (late) return { violations: {}, broken: `it did not end within ${timeoutMs / 1000} s`, words: [], seconds };
  return { ...verdictOf(stdout, stderr, code), seconds };
}

/** Ours, but nobody shall be told to run other sources than those of the copy. */
function environment(): NodeJS.ProcessEnv {
  const { TIDINGS_SOURCE: _, ...rest } = process.env;
  return rest;
}

function commandOf(budget: Budget): string[] {
  if (budget.harness === "sim") return ["scripts/sim.ts", `--seeds=${budget.seeds}`, "--workers=1", "--shrink=0"];
  if (budget.harness === "power-cut") return ["scripts/power-cut.ts", `--images=${budget.images}`, "--workers=1"];
  if (budget.harness === "chaos") {
    const { engine, scale, events, only } = budget;
    return [
      "scripts/chaos.ts",
      `--engine=${engine}`,
      `--scale=${scale}`,
      `--events=${events}`,
      `--only=${only.join(",")}`,
    ];
  }
  return ["scripts/crash.ts", `--scenario=${budget.scenario}`, `--kills=${budget.kills}`];
}

/** Reads the lines of JSON; without a last one the harness is broken. */
export function verdictOf(stdout: string, stderr: string, code: number | null): Omit<Outcome, "seconds"> {
  const told = stderr.trimEnd().split("\n");
  const broken = (why: string): Omit<Outcome, "seconds"> => ({ violations: {}, broken: why, words: [] });
  const lines = stdout.trimEnd().split("\n").map(parsed);
  const last = lines.at(-1);
  if (!last) {
    const why = told.find((text) => /\w*Error\b/.test(text)) ?? told.at(-1) ?? "";
    return broken(`it ended with ${code} and without a result: ${why.slice(0, 300)}`);
  }
  const { violations, words } =
    "seeds" in last ? ofSim(lines) : "images" in last ? ofPowerCut(last, told) : ofCrash(last, told);
  const any = Object.keys(violations).length > 0;
  if (any !== (code === 1))
    return broken(`it ended with ${code}, and its result is ${JSON.stringify(last).slice(0, 300)}`);
  return { violations, broken: undefined, words };
}

type Line = Readonly<Record<string, unknown>>;
type Found = Pick<Outcome, "violations" | "words">;

/** A line for each seed in which something was found. */
function ofSim(lines: readonly (Line | undefined)[]): Found {
  const violations: Record<string, number> = {};
  const words: string[] = [];
  for (const line of lines) {
    if (!Array.isArray(line?.["violations"])) continue;
    for (const { invariant, message } of line["violations"] as { invariant: string; message: string }[]) {
      violations[invariant] = (violations[invariant] ?? 0) + 1;
      words.push(`${invariant}: ${message} (seed ${String(line["seed"])})`);
    }
  }
  return { violations, words };
}

/** By invariant in the last line, in words on the standard error, behind the scenario, or the engine and the time. */
function ofCrash({ invariants }: Line, told: readonly string[]): Found {
  const violations = (invariants ?? {}) as Record<string, number>;
  return { violations, words: told.map((text) => text.replace(/^[\w-]+(?: [\d.]+ s)?: /, "")) };
}

/** What is lost and what else is wrong, in words behind the name of each image. */
function ofPowerCut({ lost, violations }: Line, told: readonly string[]): Found {
  const counts = Object.entries({ LOST: lost as number, WRONG: violations as number });
  const words = told.flatMap((text) => {
    const [, said] = /^power-cut: {3}(.*)/.exec(text) ?? [];
    return said === undefined ? [] : [said.startsWith("lost: ") ? `LOST: ${said.slice(6)}` : `WRONG: ${said}`];
  });
  return { violations: Object.fromEntries(counts.filter(([, times]) => times > 0)), words };
}

function parsed(text: string): Line | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}

async function textOf(child: ChildProcess, name: "stdout" | "stderr"): Promise<string> {
  let text = "";
  for await (const part of child[name] ?? []) text = (text + String(part)).slice(-4_000_000);
  return text;
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}
