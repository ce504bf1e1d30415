// What is found wrong after the kills.
import type { App, SubscriptionTotals } from "tidings";

export type Kind = "lost" | "doubled" | "reordered" | "violations";

export class Findings {
  readonly counts: Record<Kind, number> = { lost: 0, doubled: 0, reordered: 0, violations: 0 };
  /** The first of them, in words. */
  readonly words: string[] = [];

  add(kind: Kind, words: string, times = 1): void {
    if (times <= 0) return;
    this.counts[kind] += times;
    if (this.words.length < 30) this.words.push(`${kind}: ${words}`);
  }

  get none(): boolean {
    return Object.values(this.counts).every((count) => count === 0);
  }
}

/** At rest, everything between start and end is accounted for, and nothing is left over. */
export function checkTotals(findings: Findings, subscriptions: readonly SubscriptionTotals[]): void {
  for (const each of subscriptions) {
    const { subscription, total, handled, held, discarded, filtered, expired, skipped, unknown, pending } = each;
    const sum = handled + held + discarded + filtered + expired + skipped + unknown + pending;
    if (sum !== total) findings.add("violations", `${subscription}: the counts add up to ${sum}, not to ${total}`);
    if (pending > 0) findings.add("violations", `${subscription}: ${pending} events are pending`);
    if (held > 0) findings.add("violations", `${subscription}: ${held} events are held`);
    if (each.deadLetters > 0) findings.add("violations", `${subscription}: ${each.deadLetters} dead letters`);
  }
}

/** Everything in the file can be read and matches its checksums. */
export async function checkFile(findings: Findings, app: App): Promise<void> {
  const { problems } = await app.engine.verify();
  for (const { place, problem } of problems) findings.add("violations", `${place}: ${problem}`);
}
