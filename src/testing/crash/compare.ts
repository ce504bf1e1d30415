import type { CrashStep } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a run with a crash has otherwise than one without. */
export type Difference = Pick<CrashStep, "lost" | "doubled" | "reordered" | "leftOver" | "outside" | "findings">;

/** Compares a run with a crash with one without: of every event, document and count there must be as much. */
export function compareRuns(calm: Snapshot, crashed: Snapshot): Difference {
  const findings: string[] = [];
  const [lost, doubled] = compareEvents(calm, crashed, findings);
  const reordered = lost + doubled > 0 ? 0 : compareOrder(calm, crashed, findings);
  const before = findings.length;
  compareDocuments(calm, crashed, findings);
  for (const row of crashed.outstanding) if (!calm.outstanding.includes(row)) findings.push(`left over: ${row}`);
  compareTotals(calm, crashed, findings);
  const leftOver = findings.length - before;
  let outside = 0;
  for (const [name, times] of crashed.outside) {
    const expected = calm.outside.get(name) ?? 0;
    if (times === expected) continue;
    outside += 1;
    findings.push(`outside: ${name} ${times} times, and ${expected} without the crash`);
  }
  return { lost, doubled, reordered, leftOver, outside, findings };
}

function compareEvents(calm: Snapshot, crashed: Snapshot, findings: string[]): [lost: number, doubled: number] {
  let [lost, doubled] = [0, 0];
  for (const said of new Set([...calm.events.keys(), ...crashed.events.keys()])) {
    const [expected, times] = [calm.events.get(said) ?? 0, crashed.events.get(said) ?? 0];
    lost += Math.max(0, expected - times);
    doubled += Math.max(0, times - expected);
    if (times < expected) findings.push(`lost: ${said} (${times} of ${expected})`);
    if (times > expected) findings.push(`doubled: ${said} (${times} instead of ${expected})`);
  }
  return [lost, doubled];
}

function compareOrder(calm: Snapshot, crashed: Snapshot, findings: string[]): number {
  let reordered = 0;
  for (const [lane, sequence] of crashed.sequences) {
    const expected = calm.sequences.get(lane) ?? [];
    const at = sequence.findIndex((said, i) => said !== expected[i]);
    if (at < 0) continue;
    reordered += 1;
    findings.push(`reordered: ${sequence[at]} in ${lane}`);
  }
  return reordered;
}

function compareDocuments(calm: Snapshot, crashed: Snapshot, findings: string[]): void {
  for (const name of new Set([...calm.documents.keys(), ...crashed.documents.keys()])) {
    const [expected, value] = [calm.documents.get(name) ?? "missing", crashed.documents.get(name) ?? "missing"];
    if (value !== expected) findings.push(`the document ${name} is ${value}, and ${expected} without the crash`);
  }
}

/** Whatever happened, the counts of each subscription add up, and as much is handled as without the crash. */
function compareTotals(calm: Snapshot, crashed: Snapshot, findings: string[]): void {
  for (const each of crashed.totals) {
    const { subscription, handled, held, discarded, filtered, expired, skipped, unknown, pending, total } = each;
    const sum = handled + held + discarded + filtered + expired + skipped + unknown + pending;
    if (sum !== total) findings.push(`the counts of ${subscription} add up to ${sum}, not to ${total}`);
    const expected = calm.totals.find((other) => other.subscription === subscription);
    for (const name of ["handled", "discarded", "skipped", "unknown"] as const)
      if (expected && expected[name] !== each[name])
        findings.push(`${subscription} counts ${each[name]} as ${name}, and ${expected[name]} without the crash`);
  }
}
