import { closest } from "../../lib/closest.ts";
import { TidingsError } from "../../errors/tidings-error.ts";

/** What can go wrong in a simulation, and what operators do meanwhile. */
export const faultKinds = Object.freeze({
  crash: "a node dies at any moment, or right before or after one of its writes, and starts again later",
  "crash-loop": "a node dies several times in a row, often before it has started",
  pause: "a node stands still for 1 ms to 10 min, and goes on as if nothing had happened",
  redeploy: "all nodes are replaced by a newer definition, one by one; one of the older starts once more",
  "write-fails": "writes are refused for a while",
  "write-unknown": "writes take effect or not, and nobody is told which, for a while",
  slow: "calls wait before they take effect",
  "late-answer": "calls take effect and are answered late",
  "disk-full": "no write succeeds for a while",
  "lease-fails": "calls about leases fail, before or after they took effect",
  "read-fails": "reads fail for a while",
  "clock-jump": "the wall clock of a node jumps by up to two minutes, either way",
  "clock-drift": "the clock of a node runs up to 4 % too fast or too slow",
  "store-jump": "the clock that leases go by jumps ahead by up to a minute, or back by up to 20 s",
  steal: "the lease of a partition is given away while its owner works",
  redrive: "an operator redrives dead letters",
  discard: "an operator discards dead letters",
  "pause-subscription": "an operator pauses a subscription, for a while or until somebody resumes it",
  "pause-key": "an operator pauses a key, and resumes it later",
  seek: "an operator moves a subscription to an earlier place",
  "redrive-operation": "operators begin redrive operations, pause, resume and cancel them, and their driver dies",
  "dependency-fails": "what handlers call outside of the system fails, always or now and then, for a while",
  "undo-discard": "an operator discards dead letters and takes it back, at once or later",
});

/** The name of a kind of fault. */
export type FaultKind = keyof typeof faultKinds;

/**
 * Kinds that came later than the first seeds. Each is drawn with dice of its own, in some of the seeds, so that all others
 * mean what they have always meant.
 */
const laterKinds: ReadonlySet<string> = new Set<FaultKind>(["redrive-operation", "dependency-fails", "undo-discard"]);

/** Whether a kind of fault was there when the first seeds were run. */
export const isFirstKind = (kind: string): boolean => !laterKinds.has(kind);

/** Every kind. */
export const allFaultKinds = Object.keys(faultKinds) as readonly FaultKind[];

/** Checks a fault plan: names of kinds. Throws TIDINGS_INVALID_OPTION with the known ones. */
export function checkFaultKinds(names: readonly string[]): readonly FaultKind[] {
  for (const name of names) {
    if (name in faultKinds) continue;
    const meant = closest(name, allFaultKinds);
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `There is no fault "${name}"${meant ? `; did you mean "${meant}"` : ""}: the kinds are ${allFaultKinds.join(", ")}.`,
    );
  }
  return names as readonly FaultKind[];
}
