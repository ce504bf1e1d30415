import type { DeadLetter } from "../delivery/records.ts";
import type { AdminContext } from "./context.ts";
import { type DeadLetterFilter, isTelling } from "./dead-letter-filter.ts";
import { lettersOf, namesOf } from "./dead-letters.ts";

/** Dead letters that are probably one fault. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  /** Those that wait or are being redriven, unless the filter asks for closed ones. */
  readonly count: number;
  readonly open: number;
  readonly redriving: number;
  /** Closed ones whose story is kept still. */
  readonly resolved: number;
  readonly discarded: number;
  readonly subscriptions: readonly string[];
  readonly types: readonly string[];
  readonly code: string;
  readonly message: string;
  /** When the first of them was given up, and when one failed last. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** How many were given up in each of the last 24 hours, the newest last. */
  readonly hours: readonly number[];
  /** The last hour against the one before. */
  readonly trend: "new" | "rising" | "steady" | "falling" | "quiet";
  /** The oldest one, to look at. */
  readonly sample: string;
}

const hourMs = 3_600_000;
const hoursKept = 24;

/** What is counted of a group while its dead letters go by, so that none of them is kept. */
interface Tally {
  readonly states: Record<DeadLetter["state"], number>;
  readonly subscriptions: Set<string>;
  readonly types: Set<string>;
  readonly hours: number[];
  sample: string;
  code: string;
  message: string;
  firstAtMs: number;
  lastAtMs: number;
}

/** Dead letters by what is probably the same fault, largest group first. Groups of closed ones alone are left out. */
export async function groupDeadLetters(
  context: AdminContext,
  filter: DeadLetterFilter,
): Promise<readonly DeadLetterGroup[]> {
  const nowMs = context.platform.clock.now();
  const tallies = new Map<string, Tally>();
  const states: readonly DeadLetter["state"][] =
    filter.state === undefined ? ["open", "redriving", "resolved", "discarded"] : [filter.state];
  for (const name of await namesOf(context, filter.subscription)) {
    // Closed ones of one state lie with those of the other.
    const halves = filter.state === undefined ? [{}, { closed: true }] : [{}];
    for (const half of halves)
      for await (const letter of lettersOf(context, name, { ...filter, ...half }))
        if (states.includes(letter.state)) count(tallies, letter, nowMs);
  }
  const groups = [...tallies].map(([fingerprint, tally]) => groupOf(fingerprint, tally, filter.state));
  return groups
    .filter((group) => group.count > 0 || isTelling(filter))
    .sort((a, b) => b.count - a.count || (a.sample < b.sample ? -1 : 1));
}

function count(tallies: Map<string, Tally>, letter: DeadLetter, nowMs: number): void {
  const { failure, parkedAtMs, lastFailedAtMs } = letter;
  let tally = tallies.get(failure.fingerprint);
  if (!tally) {
    tally = newTally(letter);
    tallies.set(failure.fingerprint, tally);
  }
  tally.states[letter.state] += 1;
  tally.subscriptions.add(letter.subscription);
  tally.types.add(letter.record.type);
  tally.firstAtMs = Math.min(tally.firstAtMs, parkedAtMs);
  tally.lastAtMs = Math.max(tally.lastAtMs, lastFailedAtMs);
  const hour = Math.floor((nowMs - parkedAtMs) / hourMs);
  if (hour >= 0 && hour < hoursKept) (tally.hours[hoursKept - 1 - hour] as number) += 1;
  // One that still waits is the better one to look at; those go by first.
  const waiting = tally.states.open + tally.states.redriving > 0;
  if (letter.id >= tally.sample || (waiting && letter.closedAtMs !== undefined)) return;
  Object.assign(tally, { sample: letter.id, code: failure.code, message: failure.message });
}

function newTally({ id, failure, parkedAtMs, lastFailedAtMs }: DeadLetter): Tally {
  return {
    states: { open: 0, redriving: 0, resolved: 0, discarded: 0 },
    subscriptions: new Set(),
    types: new Set(),
    hours: Array.from({ length: hoursKept }, () => 0),
    sample: id,
    code: failure.code,
    message: failure.message,
    firstAtMs: parkedAtMs,
    lastAtMs: lastFailedAtMs,
  };
}

function groupOf(fingerprint: string, tally: Tally, asked: DeadLetter["state"] | undefined): DeadLetterGroup {
  const { states, subscriptions, types, hours, ...rest } = tally;
  return {
    fingerprint,
    count: asked === undefined ? states.open + states.redriving : states[asked],
    ...states,
    subscriptions: [...subscriptions].sort(),
    types: [...types].sort(),
    ...rest,
    hours,
    trend: trendOf(hours),
  };
}

/** Without anything before the last hour it is new; a third more or less is a change. */
function trendOf(hours: readonly number[]): DeadLetterGroup["trend"] {
  const last = hours[hoursKept - 1] as number;
  const before = hours[hoursKept - 2] as number;
  if (last === 0) return before === 0 ? "quiet" : "falling";
  if (before === 0) return hours.slice(0, -1).every((each) => each === 0) ? "new" : "rising";
  if (last * 3 > before * 4) return "rising";
  return last * 4 < before * 3 ? "falling" : "steady";
}
