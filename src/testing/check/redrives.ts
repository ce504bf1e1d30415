import type { History, RedriveEnd } from "./history.ts";
import type { Violation } from "./violation.ts";

/** Instants of commits and the clock of a driver differ by less, in milliseconds. */
const toleranceMs = 1;

/** REDRIVE: reports are exact, nothing is sent back twice or after the end, and what has begun is over when all is well. */
export function checkRedrives({ redrives = [], deadLetters = [], healed = false }: History): Violation[] {
  const found = redrives.flatMap((redrive) => [
    ...countsOf(redrive),
    ...sendingsOf(redrive),
    ...paceOf(redrive),
    ...(healed ? endOf(redrive) : []),
  ]);
  for (const { id, state, subscription, event, key } of healed ? deadLetters : []) {
    const place = { subscription, event, key } as const;
    if (state === "redriving")
      found.push({ ...violation(`The dead letter ${id} is still being redriven, although everything had time.`), ...place }); // prettier-ignore
  }
  return found;
}

const violation = (message: string): Violation => ({ invariant: "REDRIVE", message });

/** What an operation says it has done is what was done. */
function countsOf({ id, ended, counts, sent }: RedriveEnd): Violation[] {
  const { covered, moved, succeeded, failedAgain, setAside, skipped } = counts;
  const found: Violation[] = [];
  if (moved + skipped > covered || succeeded + failedAgain + setAside > moved || Math.min(...Object.values(counts)) < 0)
    found.push(violation(`The counts of the redrive ${id} do not add up: ${JSON.stringify(counts)}.`));
  // Until then the report is behind what happens.
  if (!ended) return found;
  const said = { moved, succeeded, failedAgain, setAside };
  const real = realOf(sent);
  if (Object.entries(said).some(([name, count]) => count !== (real[name] ?? 0)))
    found.push(violation(`The redrive ${id} reports ${JSON.stringify(said)}, and it was ${JSON.stringify(real)}.`));
  return found;
}

function realOf(sent: RedriveEnd["sent"]): Readonly<Record<string, number>> {
  const count = (outcome: string): number => sent.filter((each) => each.outcome === outcome).length;
  return {
    moved: sent.length,
    succeeded: count("handled"),
    failedAgain: count("failed"),
    setAside: count("set aside"),
  };
}

function sendingsOf({ id, sent }: RedriveEnd): Violation[] {
  const found: Violation[] = [];
  const seen = new Set<string>();
  for (const { deadLetter, isStopped } of sent) {
    if (seen.has(deadLetter)) found.push(violation(`The redrive ${id} has sent the dead letter ${deadLetter} twice.`));
    seen.add(deadLetter);
    if (isStopped)
      found.push(violation(`The redrive ${id} sent ${deadLetter} though it was stopped and had not asked for it.`));
  }
  return found;
}

function paceOf({ id, batches, perSecond }: RedriveEnd): Violation[] {
  return batches.flatMap(({ atMs, size, most }, i) => {
    const found: Violation[] = [];
    if (size > most) found.push(violation(`The redrive ${id} sent ${size} in its batch ${i}, and ${most} were allowed.`)); // prettier-ignore
    const before = batches[i - 1];
    if (perSecond === undefined || !before || atMs === undefined || before.atMs === undefined) return found;
    const gapMs = (1000 * before.size) / perSecond;
    if (atMs - before.atMs < gapMs - toleranceMs)
      found.push(violation(`The redrive ${id} began batch ${i} after ${atMs - before.atMs} ms, not after ${gapMs}.`));
    return found;
  });
}

function endOf({ id, state, ended, counts }: RedriveEnd): Violation[] {
  if (!ended) return [violation(`The redrive ${id} is ${state} and not over, although everything had time.`)];
  const { covered, moved, skipped } = counts;
  if (state === "done" && covered !== moved + skipped)
    return [violation(`The redrive ${id} is done, and ${covered - moved - skipped} of ${covered} were never sent.`)];
  return [];
}
