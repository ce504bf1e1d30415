import { readTotals, type SubscriptionTotals } from "../../delivery/totals.ts";
import type { Engine } from "../../ports/engine.ts";
import { readOutstanding } from "../outstanding.ts";
import type { Recorded } from "../recording.ts";

/** What an application has come to. */
export interface Snapshot {
  /** What was published, without ids: by what it says, how often. */
  readonly events: ReadonlyMap<string, number>;
  /** By who published to which key because of which topic, what was said in which order. */
  readonly sequences: ReadonlyMap<string, readonly string[]>;
  /** Documents of services by their names. */
  readonly documents: ReadonlyMap<string, string>;
  /** What is not done. */
  readonly outstanding: readonly string[];
  readonly totals: readonly SubscriptionTotals[];
  readonly outside: ReadonlyMap<string, number>;
}

/** What a snapshot is taken of. */
export interface Taken {
  readonly observer: Engine;
  readonly recorded: readonly Recorded[];
  /** Collections of services that were written. */
  readonly collections: ReadonlySet<string>;
  readonly outside: ReadonlyMap<string, number>;
  readonly nowMs: number;
}

/** Reads everything that two runs can be compared by. */
export async function takeSnapshot({ observer, recorded, collections, outside, nowMs }: Taken): Promise<Snapshot> {
  const events = new Map<string, number>();
  const sequences = new Map<string, string[]>();
  const topicOf = new Map(recorded.map(({ event, topic }) => [event.id, topic]));
  for (const { event, topic, by } of recorded) {
    const said = `${event.type} ${timeless(JSON.stringify(event.data) ?? "")}`;
    const from = by === undefined ? "" : ` by ${by}`;
    events.set(`${said}${from}`, (events.get(`${said}${from}`) ?? 0) + 1);
    if (event.partitionkey === undefined) continue;
    // A handler's publishes to a key stand in the order of what it handled, and between topics there is none.
    const cause = event.causationid === undefined ? "" : topicOf.get(event.causationid);
    const lane = `${topic} ${event.partitionkey} by ${by ?? "publishers"} because of ${cause ?? "nothing"}`;
    const sequence = sequences.get(lane) ?? [];
    sequences.set(lane, sequence);
    sequence.push(said);
  }
  const documents = new Map<string, string>();
  for (const collection of collections)
    for (const { key, value } of (await observer.state?.scan(collection, { limit: 1_000_000 })) ?? [])
      documents.set(`${collection.slice("state/".length)}/${key}`, timeless(value));
  const rows = await readOutstanding(observer, []);
  return {
    events,
    sequences,
    documents,
    outstanding: rows.map(
      ({ subscription, event, key, state }) => `${event} of ${subscription}, key ${key}: ${timeless(state)}`,
    ),
    totals: (await readTotals(observer, nowMs)).subscriptions,
    outside: new Map(outside),
  };
}

/** Ids and instants are others in each run, because a crash takes time. */
export function timeless(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "(id)")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "(instant)")
    .replaceAll(/(?<![\d.])1[6-9]\d{11}(?![\d.])/g, "(instant)");
}
