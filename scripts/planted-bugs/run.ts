// Runs the harnesses against each bug and without any, several at a time.
import type { Budget, PlantedBug } from "./bug.ts";
import { budgetText } from "./bug.ts";
import { copySources, type SourceCopy } from "./copy.ts";
import { type Outcome, runHarness } from "./harness.ts";

/** What became of one bug. */
export interface BugResult {
  readonly name: string;
  readonly found: boolean;
  /** One line about it. */
  readonly story: string;
}

/** What a harness said of the sources as they are. */
export interface ControlResult {
  readonly budget: string;
  readonly good: boolean;
  readonly story: string;
}

export interface RunOptions {
  readonly root: string;
  readonly bugs: readonly PlantedBug[];
  readonly seed: number;
  /** How many harnesses run at once. */
  readonly jobs: number;
  readonly say: (text: string) => void;
}

export interface Results {
  readonly bugs: readonly BugResult[];
  readonly controls: readonly ControlResult[];
}

/** A harness that has no verdict even of the sources as they are. */
export class BrokenHarnessError extends Error {}

/**
 * Tries every harness without a bug, with the largest of its budgets, and then every bug. Throws BrokenHarnessError when a
 * harness falls over without a bug: then no bug could be found.
 */
export async function runAll({ root, bugs, seed, jobs, say }: RunOptions): Promise<Results> {
  const results: BugResult[] = [];
  const controls: ControlResult[] = [];
  const budgets = controlBudgets(bugs.map(({ budget }) => budget));
  const total = bugs.length + budgets.length;
  const count = (): string => `[${results.length + controls.length} of ${total}]`;
  const copies = Array.from({ length: jobs }, () => copySources(root));
  try {
    await share(copies, budgets, async (budget, { folder }) => {
      const outcome = await runControl(folder, budget, seed);
      if (outcome.broken)
        throw new BrokenHarnessError(`Without a bug, ${budgetText(budget)} has no result: ${outcome.broken}`);
      const control = judgeControl(budget, outcome);
      controls.push(control);
      say(`${count()} without a bug, ${control.story}`);
    });
    await share(copies, bugs, async (bug, copy) => {
      const result = await tryBug(copy, bug, seed);
      results.push(result);
      say(`${count()} ${result.name}: ${result.story}`);
    });
  } finally {
    for (const copy of copies) copy.remove();
  }
  const order = new Map(bugs.map(({ name }, index) => [name, index]));
  return { controls, bugs: results.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0)) };
}

/** Does something for each item, in as many copies at once as there are. */
async function share<Item>(
  copies: readonly SourceCopy[],
  items: readonly Item[],
  work: (item: Item, copy: SourceCopy) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const outcomes = await Promise.allSettled(
    copies.map(async (copy) => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
        try {
          await work(item, copy);
        } catch (error) {
          // Nobody begins anything new.
          queue.length = 0;
          throw error;
        }
      }
    }),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason as Error;
}

/** All of a budget, up to the first run in which something is found. */
async function runControl(folder: string, budget: Budget, seed: number): Promise<Outcome> {
  // The simulator takes all its seeds at once.
  if (budget.harness !== "chaos") return runHarness(folder, budget, seed);
  let seconds = 0;
  let outcome: Outcome | undefined;
  for (const part of partsOf(budget, seed)) {
    outcome = await runHarness(folder, part.budget, part.seed);
    seconds += outcome.seconds;
    if (outcome.broken !== undefined || saidOf(outcome.violations)) break;
  }
  return { ...(outcome as Outcome), seconds };
}

/** So many seeds of the simulator are tried before a look whether the bug is found: most are, long before their budget ends. */
const seedsAtOnce = 20;

/** Plants the bug in the copy, and takes it out again. */
export async function tryBug(copy: SourceCopy, bug: PlantedBug, seed: number): Promise<BugResult> {
  const takeOut = copy.plant(bug);
  try {
    let seconds = 0;
    let result: BugResult | undefined;
    for (const part of partsOf(bug.budget, seed)) {
      const outcome = await runHarness(copy.folder, part.budget, part.seed);
      seconds += outcome.seconds;
      result = judgeBug({ ...bug, budget: part.upTo }, { ...outcome, seconds });
      if (result.found || outcome.broken !== undefined) break;
    }
    return result as BugResult;
  } finally {
    takeOut();
  }
}

interface Part {
  readonly budget: Budget;
  readonly seed: number;
  /** What this part and those before it come to. */
  readonly upTo: Budget;
}

/** A budget of seeds or runs in parts, each from another seed on; any other budget as it is. */
export function partsOf(budget: Budget, seed: number): readonly Part[] {
  if (budget.harness === "chaos")
    return Array.from({ length: budget.runs }, (_, done) => {
      return { budget: { ...budget, runs: 1 }, seed: seed + done, upTo: { ...budget, runs: done + 1 } };
    });
  if (budget.harness !== "sim") return [{ budget, seed, upTo: budget }];
  return Array.from({ length: Math.ceil(budget.seeds / seedsAtOnce) }, (_, i) => {
    const done = i * seedsAtOnce;
    const seeds = Math.min(seedsAtOnce, budget.seeds - done);
    return { budget: { harness: "sim", seeds }, seed: seed + done, upTo: { harness: "sim", seeds: done + seeds } };
  });
}

/** Whether a harness has found a bug: a violation of a kind that fits, and nothing else counts. */
export function judgeBug({ name, caughtBy, inWords, budget }: PlantedBug, outcome: Outcome): BugResult {
  const { broken, violations, seconds, words } = outcome;
  const within = `${budgetText(budget)}, ${seconds.toFixed(1)} s`;
  const survived = (why: string): BugResult => ({ name, found: false, story: `SURVIVED (${within}): ${why}` });
  if (broken !== undefined) return survived(`the harness broke: ${broken}`);
  const fits = caughtBy.filter((kind) => (violations[kind] ?? 0) > 0);
  const instead = saidOf(violations);
  if (fits.length === 0)
    return survived(instead ? `what it found was ${instead}, which does not fit` : "nothing was found");
  const told = words.filter((text) => fits.some((kind) => text.startsWith(`${kind}: `)));
  const word = inWords ? told.find((text) => inWords.test(text)) : told[0];
  if (inWords && word === undefined)
    return survived(`it found ${instead}, and said ${told[0] ?? "nothing"}, which is not ${String(inWords)}`);
  return { name, found: true, story: `found (${within}): ${word ?? fits.join(", ")}` };
}

/** Without a bug nothing may be found. */
export function judgeControl(budget: Budget, { broken, violations, seconds, words }: Outcome): ControlResult {
  const what = budgetText(budget);
  const said = saidOf(violations);
  const wrong = broken ?? (said ? `${said}; ${words.slice(0, 3).join(" | ")}` : undefined);
  const story = wrong === undefined ? `nothing is found (${seconds.toFixed(1)} s)` : `FALSE ALARM: ${wrong}`;
  return { budget: what, good: wrong === undefined, story: `${what}: ${story}` };
}

function saidOf(violations: Outcome["violations"]): string {
  return Object.entries(violations)
    .map(([kind, times]) => `${times} of ${kind}`)
    .join(", ");
}

/** Of each harness and scenario the largest budget. */
export function controlBudgets(budgets: readonly Budget[]): readonly Budget[] {
  const largest = new Map<string, Budget>();
  for (const budget of budgets) {
    const name = kindOf(budget);
    const before = largest.get(name);
    if (!before || sizeOf(budget) > sizeOf(before)) largest.set(name, budget);
  }
  return [...largest.values()];
}

/** Budgets of one kind differ in nothing but their size. */
function kindOf(budget: Budget): string {
  if (budget.harness === "crash") return `crash ${budget.scenario}`;
  if (budget.harness === "chaos") return `chaos ${budget.engine} ${budget.only.join()}`;
  return budget.harness;
}

function sizeOf(budget: Budget): number {
  if (budget.harness === "sim") return budget.seeds;
  if (budget.harness === "chaos") return budget.runs * budget.scale;
  return budget.harness === "crash" ? budget.kills : budget.images;
}
