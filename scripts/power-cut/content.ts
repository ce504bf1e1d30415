// Reads everything that a file holds, as the checks want it.
import type { App, SubscriptionTotals } from "tidings";

import type { HeldEventDocument, PositionDocument } from "../../src/delivery/records.ts";
import { type Account, bank, type Said, topics } from "./workload/events.ts";
import { type Count, countBox, sqlTable, subscriptions } from "./workload/app.ts";

/** An event where it stands. */
export interface Entry {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly id: string;
  readonly key: string | null;
  readonly causationid: string | undefined;
  /** As it is stored. */
  readonly text: string;
  readonly data: Said;
}

export interface Log {
  readonly topic: string;
  readonly partition: number;
  readonly first: number;
  readonly next: number;
  readonly entries: readonly Entry[];
}

export interface Content {
  readonly logs: readonly Log[];
  /** By service and key. */
  readonly counts: Readonly<Record<"counter" | "auditor", ReadonlyMap<string, Count>>>;
  /** By subscription and partition. */
  readonly positions: ReadonlyMap<string, PositionDocument>;
  /** By subscription, ids of the events that wait behind held keys. */
  readonly held: ReadonlyMap<string, ReadonlySet<string>>;
  readonly totals: readonly SubscriptionTotals[];
  readonly remembered: ReadonlySet<string>;
  readonly accounts: ReadonlyMap<string, { readonly account: Account; readonly version: number }>;
  /** Keys of the bank's timers, and their payloads. */
  readonly timers: ReadonlyMap<string, string>;
  /** Ids in the table of the user's own SQL. */
  readonly sql: ReadonlySet<string>;
}

export async function readContent(app: App): Promise<Content> {
  const { engine } = app;
  const logs: Log[] = [];
  for (const { name } of topics) {
    for (const [partition, bounds] of (await engine.topics.bounds(name)).entries())
      logs.push(await readLog(app, name, partition, bounds));
  }
  const counts = { counter: await readCounts(app, "counter"), auditor: await readCounts(app, "auditor") };
  const accounts = new Map<string, { account: Account; version: number }>();
  for (const { key, version, value } of await scan(app, bank))
    accounts.set(key, { account: JSON.parse(value) as Account, version });
  const timers = (await engine.timers?.list(bank, { limit: 100_000 })) ?? [];
  const held = new Map<string, ReadonlySet<string>>();
  for (const name of Object.keys(subscriptions)) {
    const events = (await scan(app, `$held-event/${name}`)).map(({ value }) => JSON.parse(value) as HeldEventDocument);
    held.set(name, new Set(events.map(({ record }) => record.id)));
  }
  return {
    logs, counts, held, accounts,
    positions: new Map((await scan(app, "$position")).map(({ key, value }) => [key, JSON.parse(value) as PositionDocument])),
    totals: (await app.totals()).subscriptions,
    remembered: new Set((await scan(app, "$once/counter/orders")).map(({ key }) => key)),
    timers: new Map(timers.map(({ key, payload }) => [key, payload])),
    sql: await readSql(app),
  }; // prettier-ignore
}

async function readLog(
  { engine }: App,
  topic: string,
  partition: number,
  { first, next }: { readonly first: number; readonly next: number },
): Promise<Log> {
  const entries: Entry[] = [];
  for (let position = first; position < next;) {
    const page = await engine.topics.read(topic, partition, position, { events: 1000, bytes: 4 * 1024 * 1024 });
    for (const { id, key, attributes, data, position: at } of page.records) {
      const [text, causationid] = [String(data), attributes?.["causationid"]];
      entries.push({ topic, partition, position: at, id, key, causationid, text, data: JSON.parse(text) as Said });
    }
    if (page.next <= position) break; // What is missing is found by the check.
    position = page.next;
  }
  return { topic, partition, first, next, entries };
}

async function readCounts(app: App, service: string): Promise<Map<string, Count>> {
  const counts = new Map<string, Count>();
  for await (const [key, count] of app.state<Count>(service, countBox).entries()) counts.set(key, count);
  return counts;
}

async function scan({ engine }: App, collection: string) {
  return (await engine.state?.scan(collection, { limit: 100_000 })) ?? [];
}

/** The user's table can be read through a transaction only. */
async function readSql({ engine }: App): Promise<Set<string>> {
  const ids = new Set<string>();
  const read = (db: unknown): void => {
    const { prepare } = db as { prepare: (sql: string) => { all: (...values: string[]) => Record<string, string>[] } };
    const rows = (sql: string, ...values: string[]) => prepare.call(db, sql).all(...values);
    if (rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?", sqlTable).length === 0) return;
    for (const { id = "" } of rows(`SELECT id FROM ${sqlTable}`)) ids.add(id);
  };
  await engine.transact?.({ sql: [read] });
  return ids;
}
