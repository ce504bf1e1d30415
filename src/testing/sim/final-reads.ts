import type { Service } from "../../delivery/service.ts";
import { collections, type DeadLetter, type HeldDocument, type HeldEventDocument, positionKey, type PositionDocument } from "../../delivery/records.ts"; // prettier-ignore
import { readDefinitions, readTotals } from "../../delivery/totals.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Engine } from "../../ports/engine.ts";
import type { State } from "../../ports/state.ts";
import { type DeadLetterEnd, type Effect, type HeldEvent, type History, identityOf, type LogEntry, type PartitionEnd, type Publish, type Run, type SubscriptionEnd } from "../check/history.ts"; // prettier-ignore
import { Repeats } from "../check/repeats.ts";
import { hashOf } from "./measures.ts";
import type { Expectation } from "./options.ts";
import type { Witness } from "./witness.ts";

const everything = { limit: Number.MAX_SAFE_INTEGER };

/** Reads all topics, partition by partition. */
export async function readLog(engine: Engine): Promise<readonly StoredRecord[]> {
  const records: StoredRecord[] = [];
  for (const { name } of await engine.topics.list()) {
    for (const [partition, { first, next }] of (await engine.topics.bounds(name)).entries()) {
      for (let position = first; position < next;) {
        const page = await engine.topics.read(name, partition, position, { events: 10_000, bytes: 64 * 1024 * 1024 });
        records.push(...page.records);
        position = page.next;
      }
    }
  }
  return records;
}

/** What the end is put together from. */
export interface FinalParts {
  readonly engine: Engine;
  readonly witness: Witness;
  readonly publishes: readonly Publish[];
  readonly services: readonly Service[];
  readonly expect: Readonly<Record<string, Expectation>>;
  readonly nowMs: number;
}

/** Names events: an identity that stands twice in a topic is two events. */
export class Names {
  readonly entries: LogEntry[] = [];
  /** What a relay has sent before: it is there again, and no event of its own. */
  readonly repeats: LogEntry[] = [];
  readonly #byPlace = new Map<string, string>();
  /** By topic and id: what stands there under it. */
  readonly #byId = new Map<string, LogEntry[]>();

  constructor(records: readonly StoredRecord[]) {
    const times = new Map<string, number>();
    const repeats = new Repeats();
    for (const record of records) {
      const { topic, partition, position, key, type, data, id } = record;
      const identity = identityOf(record);
      if (repeats.isRepeat(record)) {
        const entry = {
          event: `${identity} (again at ${position})`,
          topic,
          partition,
          position,
          key,
          type,
          payload: hashOf(data),
        };
        this.entries.push(entry);
        this.repeats.push(entry);
        this.#byPlace.set(`${topic}/${partition}/${position}`, entry.event);
        continue;
      }
      const time = (times.get(`${topic} ${identity}`) ?? 0) + 1;
      times.set(`${topic} ${identity}`, time);
      const event = time === 1 ? identity : `${identity} (${time})`;
      const entry = { event, topic, partition, position, key, type, payload: hashOf(data) };
      this.entries.push(entry);
      this.#byPlace.set(`${topic}/${partition}/${position}`, event);
      const same = this.#byId.get(`${topic} ${id}`) ?? [];
      this.#byId.set(`${topic} ${id}`, same);
      same.push(entry);
    }
  }

  at(topic: string, partition: number, position: number): string {
    return this.#byPlace.get(`${topic}/${partition}/${position}`) ?? `${topic}/${partition}/${position}`;
  }

  withId(topic: string, id: string): readonly LogEntry[] {
    return this.#byId.get(`${topic} ${id}`) ?? [];
  }
}

/** What stands in topics, without what a relay has sent once more. */
export function withoutRepeats(records: readonly StoredRecord[]): readonly StoredRecord[] {
  const repeats = new Repeats();
  return records.filter((record) => !repeats.isRepeat(record));
}

/** Puts together what the witness saw and what is there at the end. */
export async function readHistory(parts: FinalParts): Promise<History> {
  const { engine, witness, publishes } = parts;
  const names = new Names(await readLog(engine));
  const state = engine.state as State;
  const { subscriptions: totals } = await readTotals(engine, parts.nowMs);
  const subscriptions: SubscriptionEnd[] = [];
  const held: HeldEvent[] = [];
  const deadLetters: DeadLetterEnd[] = [];
  for (const [name, { topic, types, partitions }] of await readDefinitions(engine)) {
    const keys = Array.from({ length: partitions }, (_, partition) => positionKey(name, partition));
    const positions = await state.get(collections.positions, keys);
    const ends = positions.flatMap((document, partition): PartitionEnd[] => {
      if (!document) return [];
      const { start, low, finished, run } = JSON.parse(document.value) as PositionDocument;
      return [{ partition, run, start, low, finished }];
    });
    const counts = totals.find(({ subscription }) => subscription === name);
    subscriptions.push({
      subscription: name,
      topic,
      types: Object.keys(types),
      partitions: ends,
      restored: witness.redrives.restored
        .filter(({ subscription }) => subscription === name)
        .map(({ partition, position }) => names.at(topic, partition, position)),
      ...endOf(names, topic, parts.expect[name] ?? {}),
      ...(counts ? { totals: pick(counts) } : {}),
    });
    held.push(...(await readHeld(state, name, topic, names)));
    deadLetters.push(...(await readDeadLetters(state, name, names)));
  }
  return {
    publishes: [...publishes, ...witness.publishes, ...names.repeats.map(publishOf)],
    log: names.entries,
    effects: effectsOf(witness, names),
    runs: witness.runs.map((run): Run => ({ ...run, event: names.at(run.topic, run.partition, run.position) })),
    subscriptions,
    held,
    deadLetters,
    deadLettersSeen: [...witness.deadLetters],
    redrives: witness.redrives.ends(),
    dependencies: witness.dependencies.ends(),
    charges: witness.charges,
    positions: witness.positions,
    ownership: witness.ownership,
    timers: witness.timers,
    poison: poisonOf(parts, names, held, subscriptions),
    resources: resourcesOf(parts),
    healed: true,
  };
}

const publishOf = ({ event, topic, key, payload }: LogEntry): Publish => ({
  event,
  topic,
  key,
  answer: "unknown",
  ...(payload === undefined ? {} : { payload }),
});

function endOf(names: Names, topic: string, expectation: Expectation): Partial<SubscriptionEnd> {
  const { publishes = false, ordered = true, mayLose = false, exempt } = expectation;
  // Of two events with one id nobody can say whose effect it was.
  const unclear = names.entries.filter(({ topic: own, event }) => {
    if (own !== topic) return false;
    const id = event.slice(event.indexOf(" ") + 1).replace(/ \(\d+\)$/, "");
    return names.withId(topic, id).length > 1 || exempt?.(id) === true;
  });
  return {
    ...(publishes ? { effects: ["published"] } : {}),
    ordered,
    mayLose,
    exempt: [...unclear, ...names.repeats].map(({ event }) => event),
    unclear: unclear.filter(({ event }) => / \(\d+\)$/.test(event)).length,
  };
}

function pick(counts: NonNullable<SubscriptionEnd["totals"]>): NonNullable<SubscriptionEnd["totals"]> {
  const { handled, held, discarded, filtered, expired, skipped, unknown, pending, total } = counts;
  return { handled, held, discarded, filtered, expired, skipped, unknown, pending, total };
}

/**
 * Of an id that stands twice, the first effect of a run is that of the first event: they have one key. Where the run began
 * behind the first, because of a seek, only the second can have had it.
 */
export function effectsOf({ effects, starts }: Pick<Witness, "effects" | "starts">, names: Names): readonly Effect[] {
  const times = new Map<string, number>();
  return effects.flatMap((effect) => {
    const { subscription, event, run = 1 } = effect;
    const all = names.withId(subscription.slice(subscription.indexOf("/") + 1), event);
    const entries = all.filter(
      ({ partition, position }) => position >= (starts.get(`${subscription} ${partition} ${run}`) ?? 0),
    );
    const lane = `${subscription} ${run} ${event}`;
    const time = times.get(lane) ?? 0;
    times.set(lane, time + 1);
    const entry = entries[Math.min(time, entries.length - 1)] ?? all.at(-1);
    return entry ? [{ ...effect, event: entry.event, key: entry.key }] : [];
  });
}

async function readHeld(state: State, subscription: string, topic: string, names: Names): Promise<HeldEvent[]> {
  const reasons = new Map<string, HeldDocument>();
  for (const { key, value } of await state.scan(collections.held(subscription), everything))
    reasons.set(key, JSON.parse(value) as HeldDocument);
  const events = await state.scan(collections.heldEvents(subscription), everything);
  return events.map(({ key, value }) => {
    const { position, record } = JSON.parse(value) as HeldEventDocument;
    const entry = reasons.get(key.slice(0, key.lastIndexOf("#")));
    const waitsFor = entry?.reason === "dead" || entry?.reason === "paused" ? "operator" : "time";
    return {
      subscription,
      event: names.at(topic, entry?.partition ?? Number(key.slice(0, 5)), position),
      key: record.key,
      waitsFor,
    };
  });
}

async function readDeadLetters(state: State, subscription: string, names: Names): Promise<DeadLetterEnd[]> {
  const open = await state.scan(collections.deadLetters(subscription), everything);
  const closed = await state.scan(collections.closedDeadLetters(subscription), everything);
  return [...open, ...closed].map(({ value }) => {
    const letter = JSON.parse(value) as DeadLetter;
    const { id, topic, partition, position, key, tries, redrives, run, reason } = letter;
    const event = names.at(topic, partition, position);
    return { id, subscription, event, key, state: letter.state, failures: tries.failures, redrives, run, reason };
  });
}

/** Events that must be dead letters by now: those that do not wait behind another one. */
function poisonOf(
  { expect }: FinalParts,
  names: Names,
  held: readonly HeldEvent[],
  subscriptions: readonly SubscriptionEnd[],
): NonNullable<History["poison"]> {
  const waiting = new Set(held.map(({ subscription, event }) => `${subscription} ${event}`));
  return subscriptions.flatMap(({ subscription, topic, partitions }) => {
    const starts = new Map(partitions?.map(({ partition, start }) => [partition, start]));
    const poison = expect[subscription]?.poison;
    if (!poison) return [];
    return names.entries.flatMap((entry) => {
      const failures = entry.topic === topic ? poison(entry.event.slice(entry.event.indexOf(" ") + 1)) : undefined;
      // Who was moved past it has nothing to do with it any more.
      if (entry.position < (starts.get(entry.partition) ?? 0)) return [];
      if (failures === undefined || waiting.has(`${subscription} ${entry.event}`)) return [];
      return [{ subscription, event: entry.event, failures }];
    });
  });
}

function resourcesOf({ witness, services }: FinalParts): NonNullable<History["resources"]> {
  const caps = new Map(services.map(({ name, options, routes }) => {
    const batches = [...routes.values()].some(({ batch }) => batch !== undefined);
    return [name, batches ? Number.POSITIVE_INFINITY : (options.concurrency ?? 64)];
  })); // prettier-ignore
  return [...witness.peaks].map(([place, peak]) => {
    const [member = "", subscription = ""] = place.split(" ");
    const cap = caps.get(subscription.slice(0, subscription.indexOf("/"))) ?? Number.POSITIVE_INFINITY;
    return { name: `handlers of ${subscription} at once in ${member}`, peak, cap };
  });
}
