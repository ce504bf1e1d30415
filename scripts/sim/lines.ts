// What a part of the simulation tells of itself: one JSON line to its parent, which adds them up.
import type { FailedSeed, FaultKind, SimulationReport } from "tidings/testing";

/** What one child was asked to run. */
export interface SimTask {
  readonly seed: number;
  readonly seeds: number;
  readonly faults?: readonly string[];
  readonly keep?: readonly number[];
  readonly events?: number;
  readonly shrinkRunsMax?: number;
}

/** What all children came to. */
export interface SimSum {
  seeds: number;
  steps: number;
  faults: Partial<Record<FaultKind, number>>;
  virtualMs: number;
  acknowledged: number;
  lost: number;
  doubled: number;
  reordered: number;
  violations: number;
  failed: FailedSeed[];
}

export const nothing = (): SimSum => ({
  seeds: 0, steps: 0, faults: {}, virtualMs: 0, acknowledged: 0, lost: 0, doubled: 0, reordered: 0, violations: 0, failed: [],
}); // prettier-ignore

/** Adds a report to a sum. */
export function add(sum: SimSum, report: Omit<SimulationReport, "neverFired">): void {
  for (const name of [
    "seeds",
    "steps",
    "virtualMs",
    "acknowledged",
    "lost",
    "doubled",
    "reordered",
    "violations",
  ] as const)
    sum[name] += report[name];
  for (const [kind, count] of Object.entries(report.faults) as [FaultKind, number][])
    sum.faults[kind] = (sum.faults[kind] ?? 0) + count;
  sum.failed.push(...report.failed);
}

/** The command that runs a seed again, or as little of it as still fails. */
export function commandOf({ seed, keep, events }: FailedSeed, faults: string | undefined): string {
  const parts = [`npm run sim -- --seed ${seed}`];
  if (faults !== undefined) parts.push(`--faults ${faults}`);
  if (keep) parts.push(`--keep ${keep.length === 0 ? "none" : keep.join(",")}`);
  if (events !== undefined) parts.push(`--events ${events}`);
  return parts.join(" ");
}
