import type { History, SubscriptionEnd } from "./history.ts";
import type { Violation } from "./violation.ts";

/** P3: the counts add up, none is below nothing, and as much is held as is said. */
export function checkTotals({ subscriptions = [], held }: History): Violation[] {
  const found: Violation[] = [];
  for (const { subscription, topic, totals } of subscriptions) {
    if (!totals) continue;
    const { total, ...parts } = totals;
    const place = { invariant: "P3", subscription, topic } as const;
    const sum = Object.values(parts).reduce((all, count) => all + count, 0);
    if (sum !== total)
      found.push({
        ...place,
        message: `The counts of ${subscription} add up to ${sum}, not to ${total}: ${textOf(parts)}.`,
      });
    for (const [name, count] of Object.entries(totals))
      if (count < 0) found.push({ ...place, message: `${subscription} has counted ${name} to ${count}.` });
    if (!held) continue;
    const there = held.filter((event) => event.subscription === subscription).length;
    if (there !== totals.held)
      found.push({ ...place, message: `${subscription} has counted ${totals.held} events as held, and ${there} are.` });
  }
  return found;
}

/** P3, of what was handled: as often as there are effects, where a subscription has one effect for each event and one run. */
export function checkHandled({ subscriptions = [], effects }: History): Violation[] {
  const found: Violation[] = [];
  if (!effects) return found;
  for (const end of subscriptions) {
    const { subscription, topic, totals, repeats, mayLose } = end;
    if (!totals || !end.effects || repeats === true || mayLose === true) continue;
    const own = effects.filter((effect) => effect.subscription === subscription);
    // Counts are of the last run, effects of all of them.
    const moved = end.partitions?.some(({ run = 1 }) => run > 1) ?? false;
    if (moved || own.some(({ run = 1 }) => run > 1)) continue;
    const handled = new Set(own.map(({ event }) => event)).size;
    if (handled <= totals.handled && handled >= totals.handled - (end.unclear ?? 0)) continue;
    const message = `${subscription} has counted ${totals.handled} events as handled, and ${handled} have effects.`;
    found.push({ invariant: "P3", subscription, topic, message });
  }
  return found;
}

function textOf(counts: Omit<NonNullable<SubscriptionEnd["totals"]>, "total">): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** I11: within a run a place never goes back, and a run is never followed by an older one. */
export function checkPositions({ positions = [] }: History): Violation[] {
  const last = new Map<string, { readonly run: number; readonly low: number }>();
  const found: Violation[] = [];
  for (const { subscription, partition, run, low } of positions) {
    const place = `${subscription}/${partition}`;
    const before = last.get(place);
    if (before && (run < before.run || (run === before.run && low < before.low))) {
      const message = `${place} went from ${before.low} in run ${before.run} back to ${low} in run ${run}.`;
      found.push({ invariant: "I11", subscription, message });
    }
    last.set(place, { run, low });
  }
  return found;
}

/** I16: events that always fail are dead letters after exactly so many failures. */
export function checkPoison({ poison = [], deadLetters = [], healed = false }: History): Violation[] {
  const found: Violation[] = [];
  for (const { subscription, event, failures } of poison) {
    const letter = deadLetters.find((each) => each.subscription === subscription && each.event === event);
    const place = { invariant: "I16", subscription, event } as const;
    if (!letter) {
      if (healed)
        found.push({ ...place, message: `${event} always fails for ${subscription}, and is no dead letter.` });
    } else if (
      (letter.redrives ?? 0) === 0 &&
      (letter.reason ?? "exhausted") === "exhausted" &&
      letter.failures !== failures
    )
      found.push({
        ...place,
        key: letter.key,
        message: `${event} was given up by ${subscription} after ${letter.failures} failures instead of ${failures}.`,
      });
  }
  return found;
}

/** I17: a dead letter that was there is there, open or closed; what is resolved is handled; an event has one at a time. */
export function checkDeadLetters(history: History): Violation[] {
  const { deadLetters = [], deadLettersSeen = [], effects, subscriptions = [] } = history;
  const found: Violation[] = [];
  const there = new Set(deadLetters.map(({ id }) => id));
  for (const id of deadLettersSeen)
    if (!there.has(id))
      found.push({ invariant: "I17", message: `The dead letter ${id} is gone, neither open nor closed.` });
  const withEffects = new Set(subscriptions.filter((end) => end.effects).map((end) => end.subscription));
  const exempt = new Set(
    subscriptions.flatMap((end) => (end.exempt ?? []).map((event) => `${end.subscription} ${event}`)),
  );
  const done = new Set((effects ?? []).map(({ subscription, event }) => `${subscription} ${event}`));
  const open = new Set<string>();
  const waiting = history.held && new Set(history.held.map(({ subscription, event }) => `${subscription} ${event}`));
  for (const { id, subscription, event, key, state, run = 1 } of deadLetters) {
    const place = { invariant: "I17", subscription, key, event } as const;
    if (
      state === "resolved" &&
      effects &&
      withEffects.has(subscription) &&
      !done.has(`${subscription} ${event}`) &&
      !exempt.has(`${subscription} ${event}`)
    )
      found.push({
        ...place,
        message: `The dead letter ${id} is resolved, and ${event} was not handled by ${subscription}.`,
      });
    if (state !== "open" && state !== "redriving") continue;
    if (waiting && !waiting.has(`${subscription} ${event}`))
      found.push({
        ...place,
        message: `The dead letter ${id} is ${state}, and ${event} is not held by ${subscription}.`,
      });
    const one = `${subscription} ${run} ${event}`;
    if (open.has(one)) found.push({ ...place, message: `${event} has two open dead letters of ${subscription}.` });
    open.add(one);
  }
  return found;
}
