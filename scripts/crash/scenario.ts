import type { Findings } from "./findings.ts";

export interface ScenarioOptions {
  /** An empty folder for its files. */
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

export interface ScenarioResult {
  /** How many publishes the oracle knows to be acknowledged. */
  readonly acknowledged: number;
  readonly findings: Findings;
}

/** Something that is killed again and again, and checked in the end. */
export interface Scenario {
  readonly name: string;
  run(options: ScenarioOptions): Promise<ScenarioResult>;
}
