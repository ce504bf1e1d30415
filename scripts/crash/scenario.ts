import { check } from "../../src/testing/check/check.ts";
import type { History } from "../../src/testing/check/history.ts";
import { countFindings, type Finding, type InvariantId } from "../../src/testing/check/violation.ts";
import type { KillPoints } from "./points.ts";

export interface ScenarioOptions {
  /** An empty folder for its files. */
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
  readonly say: (text: string) => void;
  /** Another copy of `src/`, which the processes run. */
  readonly source: string | undefined;
  /** The library through which they open their file. */
  readonly driver: string | undefined;
  /** What was hit in the scenarios before this one. */
  readonly before: KillPoints;
}

/** What was found wrong. */
export interface Verdict {
  readonly counts: Readonly<Record<Finding, number>>;
  /** In words. */
  readonly words: readonly string[];
  /** The invariants that were looked at. */
  readonly checked: readonly InvariantId[];
}

export interface ScenarioResult extends Verdict {
  /** How many publishes the oracle knows to be acknowledged. */
  readonly acknowledged: number;
  /** By kill point, how often a process died there. */
  readonly points: Readonly<Record<string, number>>;
  /** How often a process was stopped and went on. */
  readonly stops: number;
}

/** Something that is killed again and again, and checked in the end. */
export interface Scenario {
  readonly name: string;
  run(options: ScenarioOptions): Promise<ScenarioResult>;
}

/** Looks for everything that must not be in a history, besides what was found otherwise. */
export function judge(history: History, problems: readonly string[]): Verdict {
  const { violations, checked } = check(history);
  const counts = countFindings(violations);
  const words = violations.map(({ invariant, message }) => `${invariant}: ${message}`);
  return {
    counts: { ...counts, violations: counts.violations + problems.length },
    words: [...problems, ...words],
    checked,
  };
}
