// What a planted bug is: one slip in one file, and who must notice it.
import type { InvariantId } from "../../src/testing/check/violation.ts";

/** A run of a harness, with the budget within which it must find the bug. */
export type Budget =
  | { readonly harness: "sim"; readonly seeds: number }
  | { readonly harness: "crash"; readonly scenario: string; readonly kills: number }
  | { readonly harness: "power-cut"; readonly images: number }
  | {
      readonly harness: "chaos";
      /** One with a server. */
      readonly engine: string;
      /** Each from another seed: when exactly a fault hits is up to the machine. */
      readonly runs: number;
      readonly scale: number;
      readonly events: number;
      /** The kinds of faults. */
      readonly only: readonly string[];
    };

export type HarnessName = Budget["harness"];
export const harnessNames: readonly HarnessName[] = ["sim", "crash", "power-cut", "chaos"];

/**
 * What a harness may call a violation: an invariant of the checker. Beside these the crash harness says FILE of what is
 * wrong with the file or left over in it, and the power-cut harness has only LOST and WRONG.
 */
export type Expected = InvariantId | "FILE" | "LOST" | "WRONG";

/** A slip as somebody could make it, applied to a copy of the sources. */
export interface PlantedBug {
  /** Lower case with hyphens, unique. */
  readonly name: string;
  /** One sentence: what is wrong, and what comes of it. */
  readonly breaks: string;
  /** A find is a violation of one of these. */
  readonly caughtBy: readonly Expected[];
  /** What the harness must also say in words, where the kind of the violation tells too little. */
  readonly inWords?: RegExp;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly budget: Budget;
}

/** A budget in words. */
export function budgetText(budget: Budget): string {
  if (budget.harness === "sim") return `sim, ${budget.seeds} seeds`;
  if (budget.harness === "power-cut") return `power-cut, ${budget.images} images`;
  if (budget.harness === "chaos")
    return `chaos ${budget.engine}, ${budget.runs} ${budget.runs === 1 ? "run" : "runs"} of scale ${budget.scale}, ${budget.events} events, ${budget.only.join(", ")}`;
  return `crash ${budget.scenario}, ${budget.kills} kills`;
}
