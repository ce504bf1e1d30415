import type { Effect, History, LogEntry, Run, SubscriptionEnd } from "./history.ts";
import type { Violation } from "./violation.ts";

const idOf = ({ subscription, event }: { readonly subscription: string; readonly event: string }): string =>
  `${subscription} ${event}`;

/** The events of a subscription that it has handlers for, and that stand from where it began. */
function* selected(subscription: SubscriptionEnd, log: readonly LogEntry[]): Generator<LogEntry> {
  const { topic, types, partitions } = subscription;
  const starts = partitions && new Map(partitions.map(({ partition, start }) => [partition, start]));
  for (const entry of log) {
    if (entry.topic !== topic) continue;
    if (types && entry.type !== undefined && !types.includes(entry.type)) continue;
    if (starts && entry.position < (starts.get(entry.partition) ?? 0)) continue;
    yield entry;
  }
}

function isSettled({ partitions }: SubscriptionEnd, { partition, position }: LogEntry): boolean {
  const place = partitions?.find((each) => each.partition === partition);
  if (!place) return partitions === undefined;
  return position < place.low || place.finished.some(([from, to]) => position >= from && position <= to);
}

/** What was handled in an earlier run, and lies behind the place of this one, is handled again. */
function runOf({ partitions }: SubscriptionEnd, { partition }: LogEntry): number {
  return partitions?.find((each) => each.partition === partition)?.run ?? 1;
}

/** I7: what became of every event. */
export function checkFates(history: History): Violation[] {
  const { log, effects = [], held = [], deadLetters = [], healed = false } = history;
  const done = new Set(effects.map((effect) => `${idOf(effect)} ${effect.run ?? 1}`));
  const waiting = new Set(held.map(idOf));
  for (const letter of deadLetters) if (letter.state !== "resolved") waiting.add(idOf(letter));
  const found: Violation[] = [];
  for (const { subscription, event, key, waitsFor } of healed ? held : []) {
    const message = `${event} still waits for its time in ${subscription}, although everything had time to drain.`;
    if (waitsFor === "time") found.push({ invariant: "I7", subscription, key, event, message });
  }
  for (const subscription of history.subscriptions ?? []) {
    const name = subscription.subscription;
    const exempt = new Set(subscription.exempt);
    for (const entry of selected(subscription, log)) {
      const { event, key, topic } = entry;
      const id = idOf({ subscription: name, event });
      const place = { invariant: "I7", topic, subscription: name, key, event } as const;
      if (!isSettled(subscription, entry)) {
        if (healed && subscription.paused !== true)
          found.push({
            ...place,
            message: `${event} is still pending for ${name}, although everything had time to drain.`,
          });
      } else if (!subscription.effects || subscription.mayLose === true) continue;
      else if (!done.has(`${id} ${runOf(subscription, entry)}`) && !waiting.has(id) && !exempt.has(event))
        found.push({ ...place, message: `${name} is past ${event}, which is neither handled nor held nor discarded.` });
    }
  }
  return found;
}

/** I6 and I8, of units of work: each handled event has each of its effects once, and what it did is committed as a whole. */
export function checkEffects({ effects = [], subscriptions = [] }: History): Violation[] {
  const found: Violation[] = [];
  for (const { subscription, topic, effects: names, repeats = false } of subscriptions) {
    const byEvent = new Map<string, Map<string, number>>();
    const keys = new Map<string, string | null>();
    for (const effect of effects) {
      if (effect.subscription !== subscription) continue;
      const unit = `${effect.run ?? 1} ${effect.event}`;
      const counts = byEvent.get(unit) ?? new Map<string, number>();
      byEvent.set(unit, counts);
      keys.set(unit, effect.key);
      counts.set(effect.name, (counts.get(effect.name) ?? 0) + 1);
    }
    for (const [unit, counts] of byEvent) {
      const event = unit.slice(unit.indexOf(" ") + 1);
      const place = { topic, subscription, key: keys.get(unit) ?? null, event };
      for (const [name, count] of counts)
        if (count > 1 && !repeats)
          found.push({
            invariant: "I8",
            ...place,
            message: `${event} had the effect "${name}" of ${subscription} ${count} times.`,
          });
      const missing = (names ?? []).filter((name) => !counts.has(name));
      if (missing.length > 0)
        found.push({
          invariant: "I6",
          ...place,
          message: `${event} had some effects of ${subscription}, and not "${missing.join(", ")}".`,
        });
    }
  }
  return found;
}

/** I9: effects of a key in the order of the log. */
export function checkOrder({ log, effects = [], subscriptions = [] }: History): Violation[] {
  const place = new Map<string, number>();
  for (const [index, { topic, event }] of log.entries()) place.set(`${topic} ${event}`, index);
  const ends = new Map(subscriptions.map((end) => [end.subscription, end]));
  const last = new Map<string, { readonly at: number; readonly effect: Effect }>();
  const found: Violation[] = [];
  for (const effect of effects) {
    const { subscription, name, key, event, run = 1 } = effect;
    const end = ends.get(subscription);
    if (key === null || !end || end.ordered === false || end.restored?.includes(event) === true) continue;
    const at = place.get(`${end.topic} ${event}`);
    if (at === undefined) continue;
    const lane = `${subscription} ${name} ${run} ${key}`;
    const before = last.get(lane);
    if (before && at < before.at) {
      const message = `${subscription} did "${name}" for ${event} after ${before.effect.event}, which stands later in the key ${key}.`;
      found.push({ invariant: "I9", topic: end.topic, subscription, key, event, message });
    } else last.set(lane, { at, effect });
  }
  return found;
}

/** I9, of handlers: one at a time for a key in a process. */
export function checkLanes({ runs = [], subscriptions = [] }: History): Violation[] {
  const unordered = new Set(subscriptions.filter(({ ordered }) => ordered === false).map((end) => end.subscription));
  const restored = new Set(
    subscriptions.flatMap((end) => (end.restored ?? []).map((event) => idOf({ ...end, event }))),
  );
  const last = new Map<string, Run>();
  const found: Violation[] = [];
  for (const run of runs.toSorted((a, b) => a.begin - b.begin)) {
    const { subscription, member, key, event } = run;
    if (key === null || unordered.has(subscription) || restored.has(idOf(run))) continue;
    const lane = `${subscription} ${member} ${key}`;
    const before = last.get(lane);
    if (before && (before.end ?? Number.POSITIVE_INFINITY) > run.begin) {
      const message = `${member} began ${event} for ${subscription} while ${before.event} of the same key was running.`;
      found.push({ invariant: "I9", subscription, key, event, message });
    }
    last.set(lane, run);
  }
  return found;
}

/** I8, of sums. */
export function checkLedgers({ ledgers = [] }: History): Violation[] {
  return ledgers
    .filter(({ sum, expected }) => sum !== expected)
    .map(({ name, sum, expected }) => ({
      invariant: "I8",
      message: `The ledger ${name} adds up to ${sum}, not to ${expected}.`,
    }));
}
