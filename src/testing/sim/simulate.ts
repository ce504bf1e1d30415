import { countFindings, type Violation } from "../check/violation.ts";
import { checkTraces } from "../check/machine.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { checkSimulation, type CheckedOptions, type SimulationOptions } from "./options.ts";
import { runSeed, type SeedPlan, type SeedResult } from "./run-seed.ts";
import { seedText } from "./seeds.ts";
import { shrink } from "./shrink.ts";

/** A seed in which something was found. */
export interface FailedSeed {
  /** As `--seed` takes it. */
  readonly seed: string;
  readonly violations: readonly Violation[];
  /** The numbers of the faults that are needed for it, when it could be made smaller. */
  readonly keep: readonly number[] | undefined;
  readonly events: number | undefined;
}

/** What a simulation came to. */
export interface SimulationReport {
  readonly seeds: number;
  /** Callbacks that were fired: timers, turns of the event loop, and answers of the engine among them. */
  readonly steps: number;
  /** By kind, how often it happened. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Kinds that were allowed and never happened. */
  readonly neverFired: readonly FaultKind[];
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly failed: readonly FailedSeed[];
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly violations: number;
}

/** One seed in so many is run twice, to see that it gives the same run. */
const twiceEvery = 100;

/**
 * Runs services under faults, on virtual time, one seed after the other: several processes of the real runtime on one
 * memory engine, of which everything can fail. Resolves with what was found; never rejects because of it. Throws
 * TIDINGS_INVALID_OPTION.
 *
 * @example
 * const { failed } = await simulate({ services: [payments], workload: publishOrders, seeds: 200 });
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const checked = checkSimulation(options);
  const tally = new Tally(checked.kinds);
  for (let i = 0; i < checked.count; i++) {
    const plan = { seed: checked.first + i, keep: options.keep, events: options.events };
    const result = await runSeed(checked, plan);
    const violations = [...result.violations, ...(await repeated(checked, plan, result))];
    tally.add(result, violations.length > 0 ? await failedSeed(checked, plan, result, violations) : undefined);
    options.onSeed?.(i + 1, checked.count);
  }
  return tally.report();
}

/** I24, on some seeds: the same seed gives the same run. */
async function repeated(options: CheckedOptions, plan: SeedPlan, first: SeedResult): Promise<readonly Violation[]> {
  if (plan.seed % twiceEvery !== 0) return [];
  const second = await runSeed(options, plan);
  return checkTraces({ publishes: [], log: [], traces: [{ seed: seedText(plan.seed), first: first.trace, second: second.trace }] }); // prettier-ignore
}

async function failedSeed(
  options: CheckedOptions,
  plan: SeedPlan,
  result: SeedResult,
  violations: readonly Violation[],
): Promise<FailedSeed> {
  const smaller = await shrink(options, plan, result);
  return { seed: seedText(plan.seed), violations, keep: smaller.keep, events: smaller.events };
}

/** Adds seeds up. */
class Tally {
  readonly #kinds: readonly FaultKind[];
  readonly #faults: Partial<Record<FaultKind, number>> = {};
  readonly #failed: FailedSeed[] = [];
  readonly #sums = { seeds: 0, steps: 0, virtualMs: 0, acknowledged: 0 };

  constructor(kinds: readonly FaultKind[]) {
    this.#kinds = kinds;
  }

  add(result: SeedResult, failed: FailedSeed | undefined): void {
    this.#sums.seeds += 1;
    this.#sums.steps += result.steps;
    this.#sums.virtualMs += result.virtualMs;
    this.#sums.acknowledged += result.acknowledged;
    for (const [kind, count] of result.faults) this.#faults[kind] = (this.#faults[kind] ?? 0) + count;
    if (failed) this.#failed.push(failed);
  }

  report(): SimulationReport {
    const neverFired = this.#kinds.filter((kind) => this.#faults[kind] === undefined);
    const all = this.#failed.flatMap(({ violations }) => violations);
    const { lost, doubled, reordered } = countFindings(all);
    return {
      ...this.#sums,
      faults: this.#faults,
      neverFired,
      failed: this.#failed,
      lost,
      doubled,
      reordered,
      violations: all.length,
    };
  }
}
