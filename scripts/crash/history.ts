// What a file holds in the end, in the words of the checker.
import { existsSync, readFileSync } from "node:fs";
import type { App } from "tidings";

import {
  collections,
  type DeadLetter,
  type HeldEventDocument,
  type PositionDocument,
} from "../../src/delivery/records.ts";
import {
  type DeadLetterEnd,
  type HeldEvent,
  type History,
  identityOf,
  type LogEntry as CheckedEntry,
  type Publish,
  type SubscriptionEnd,
} from "../../src/testing/check/history.ts";
import { type LogEntry, readTopic } from "./log.ts";

/** An event with what only harnesses ask for. */
export interface Entry extends CheckedEntry {
  /** Id of the event whose handler published this one. */
  readonly cause: string | undefined;
  readonly data: unknown;
  /** A relay has sent it before: it is no event of its own, and has a name of its own. */
  readonly isRepeat: boolean;
}

export interface End {
  readonly entries: readonly Entry[];
  readonly firsts: NonNullable<History["firsts"]>;
  /** What handlers have published, as far as the event is there whose handler did. */
  readonly published: readonly Publish[];
  readonly subscriptions: readonly SubscriptionEnd[];
  readonly held: readonly HeldEvent[];
  readonly deadLetters: readonly DeadLetterEnd[];
  /** What does not match its checksum. */
  readonly problems: readonly string[];
}

/** Reads everything by an application that has no services. `repeats` tells of more entries that they are no events of their own. */
export async function readEnd(
  app: App,
  topics: readonly string[],
  repeats: (entry: LogEntry) => boolean = () => false,
): Promise<End> {
  const { engine } = app;
  const entries: Entry[] = [];
  const firsts: { topic: string; partition: number; first: number }[] = [];
  for (const topic of topics) {
    for (const [partition, { first }] of (await engine.topics.bounds(topic)).entries())
      firsts.push({ topic, partition, first });
    for (const read of await readTopic(app, topic)) {
      const { id, source, causationid, text, ...entry } = read;
      const isRepeat = entry.isRepeat || repeats(read);
      const event = identityOf({ source, id }) + (isRepeat ? ` (again at ${entry.position})` : "");
      entries.push({ ...entry, isRepeat, event, payload: text, cause: causationid });
    }
  }
  const there = new Set(entries.map(({ event }) => event));
  const published = entries
    .filter(({ cause }) => cause !== undefined && there.has(identityOf({ source: "/crash", id: cause })))
    .map(({ event, topic, key }): Publish => ({ event, topic, key, answer: "unknown" }));
  const subscriptions: SubscriptionEnd[] = [];
  const held: HeldEvent[] = [];
  const deadLetters: DeadLetterEnd[] = [];
  for (const totals of (await app.totals()).subscriptions) {
    const { subscription, topic } = totals;
    const { handled, discarded, filtered, expired, skipped, unknown, pending, total } = totals;
    const counts = { handled, held: totals.held, discarded, filtered, expired, skipped, unknown, pending, total };
    const places = await scan<PositionDocument>(app, collections.positions, `${subscription}/`);
    const partitions = places.map(({ start, low, finished }, partition) => ({ partition, start, low, finished }));
    subscriptions.push({ subscription, topic, totals: counts, partitions });
    for (const { record } of await scan<HeldEventDocument>(app, collections.heldEvents(subscription)))
      held.push({ subscription, event: identityOf(record), key: record.key });
    for (const collection of [collections.deadLetters(subscription), collections.closedDeadLetters(subscription)])
      for (const letter of await scan<DeadLetter>(app, collection)) deadLetters.push(deadLetterOf(letter));
  }
  const { problems } = await engine.verify();
  return {
    entries, firsts, published, subscriptions, held, deadLetters,
    problems: problems.map(({ place, problem }) => `${place}: ${problem}`),
  }; // prettier-ignore
}

function deadLetterOf({ id, subscription, key, state, tries, redrives, run, record }: DeadLetter): DeadLetterEnd {
  const { failures } = tries;
  return { id, subscription, event: identityOf(record), key, state, failures, redrives, run };
}

async function scan<Value>({ engine }: App, collection: string, prefix = ""): Promise<Value[]> {
  const documents = (await engine.state?.scan(collection, { prefix, limit: 1_000_000 })) ?? [];
  return documents.map(({ value }) => JSON.parse(value) as Value);
}

interface TraceLine {
  readonly place: string;
  readonly partition: number;
  readonly lease: string;
  readonly commit: number;
  readonly run: number;
  readonly low: number;
  readonly pid: number;
  readonly token?: number;
}

/** Commits of places as they were traced, in the order of their numbers. A commit whose process died at once has no line. */
export function readTrace(path: string): Pick<History, "ownership" | "positions"> {
  if (!existsSync(path)) return {};
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as TraceLine)
    .toSorted((a, b) => a.commit - b.commit);
  return {
    ownership: lines.map(({ lease, pid, token }) => ({ lease, owner: `process ${pid}`, token })),
    positions: lines.map(({ place, partition, run, low }) => ({ subscription: place, partition, run, low })),
  };
}

/** How often a partition came to another process than the one before. */
export function takeOvers({ ownership = [] }: History): number {
  const owners = new Map<string, string>();
  let count = 0;
  for (const { lease, owner } of ownership) {
    if (owners.get(lease) !== owner && owners.has(lease)) count++;
    owners.set(lease, owner);
  }
  return count;
}
