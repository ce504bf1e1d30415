/** What must hold, by the names of the invariants that stand in `docs/reliability/simulation.md`. */
export const invariants = Object.freeze({
  VACUOUS: "the history shows something: at least one publish was acknowledged",
  I1: "no acknowledged event is lost",
  I2: "every event that is read was published, with the same bytes",
  I3: "positions rise by one in each partition",
  I4: "what one producer publishes to a key stands in call order, without a hole",
  I6: "batches and units of work are there as a whole or not at all",
  I7: "every event is handled, held, discarded or pending, and nothing is pending after the healing",
  I8: "effects happen once, and ledgers add up",
  I9: "effects of a key come in the order of its events, one at a time",
  I10: "what a lease guards is written by its owner only",
  I11: "a position never goes back within a run",
  I13: "nothing that waits for a time happens before it",
  I16: "an event that always fails becomes a dead letter after exactly its tries",
  I17: "dead letters are not lost, and those that are resolved are handled",
  I18: "resources stay under their caps",
  I24: "the same seed gives the same run",
  OWN: "what a workload promises of itself",
  GUARD:
    "a breaker sends one probe at a time and closes when it succeeds, rates hold, and waiting for them is no failure",
  REDRIVE: "redrive operations report exactly what was done, send nothing twice, and stop when they are told to",
  P3: "the counts of a subscription add up to what was appended, and agree with what is held",
});

/** The name of an invariant. */
export type InvariantId = keyof typeof invariants;

/** Something that must not be. */
export interface Violation {
  readonly invariant: InvariantId;
  /** One sentence. */
  readonly message: string;
  readonly topic?: string;
  readonly subscription?: string;
  readonly key?: string | null;
  readonly event?: string;
}

/** The four words in which harnesses count. */
export type Finding = "lost" | "doubled" | "reordered" | "violations";

const findings: Partial<Record<InvariantId, Finding>> = { I1: "lost", I7: "lost", I8: "doubled", I9: "reordered" };

/** Counts violations as the crash harness does: lost, doubled, reordered, and all others. */
export function countFindings(violations: readonly Violation[]): Readonly<Record<Finding, number>> {
  const counts = { lost: 0, doubled: 0, reordered: 0, violations: 0 };
  for (const { invariant } of violations) counts[findings[invariant] ?? "violations"] += 1;
  return counts;
}
