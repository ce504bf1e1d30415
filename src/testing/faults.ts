import { TidingsError } from "../errors/tidings-error.ts";
import { checkOptions } from "../lib/options.ts";
import type { FaultHook, MemoryCall, MemoryFault } from "../engines/memory/faults.ts";
import { isCommit } from "./crash-points.ts";

/** What may fail: a publish from outside of handlers, the commit of a unit of work, or reading. */
export type Failing = "publish" | "commit" | "read";

/** How it fails. */
export interface FailOptions {
  /** `before-effect` (the default): refused, nothing was written. `after-effect`: written, and the answer is lost. */
  readonly at?: "before-effect" | "after-effect";
  /** How many times; 1. */
  readonly times?: number;
  /** What a failure before the effect rejects with; TIDINGS_BUSY, which may be tried again, unless given. */
  readonly error?: Error;
}

/** A hook that fails the next calls of a kind. Throws TIDINGS_INVALID_OPTION. */
export function failing(what: Failing, options: FailOptions): FaultHook {
  checkOptions("kit.fail()", options, ["at", "times", "error"]);
  const { at = "before-effect", times = 1, error } = options;
  if (!["publish", "commit", "read"].includes(what))
    throw new TidingsError("TIDINGS_INVALID_OPTION", 'kit.fail() takes "publish", "commit", "read" or a function.');
  if (at !== "before-effect" && at !== "after-effect")
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      'The option at of kit.fail() is "before-effect" or "after-effect".',
    );
  let left = times;
  return (call) => {
    if (left <= 0 || !isOfKind(what, call)) return undefined;
    left -= 1;
    const fault: MemoryFault = { fail: at === "before-effect" ? "before" : "after" };
    return error && at === "before-effect" ? { ...fault, error } : fault;
  };
}

function isOfKind(what: Failing, { kind, transaction }: MemoryCall): boolean {
  if (what === "commit") return kind === "transact" && transaction !== undefined && isCommit(transaction);
  return kind === what;
}
