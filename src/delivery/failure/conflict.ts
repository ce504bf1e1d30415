import { TidingsError } from "../../errors/tidings-error.ts";

/** A delivery whose reads have changed so often is given to the retry ladder: somebody else writes without end. */
export const conflictsMax = 1000;

/** The error of a delivery whose commits are not tried again at once. */
export function conflictError(type: string, subscription: string, conflicts: number): TidingsError {
  return new TidingsError(
    "TIDINGS_CONFLICT",
    `The state that "${type}" reads in "${subscription}" changed before each of ${conflicts} commits.`,
  );
}
