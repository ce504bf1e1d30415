import { TidingsError } from "../errors/tidings-error.ts";
import { type ComposedEngine, isComposed } from "../outbox/composed.ts";
import { outboxCollections, type ParkedRow } from "../outbox/documents.ts";
import { outboxPartitions, outboxTopic } from "../outbox/row.ts";
import { relayPositions } from "../outbox/sweep.ts";
import type { Document } from "../ports/state.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";

/** One partition of the outbox. */
export interface OutboxPartition {
  readonly partition: number;
  /** Rows that are not sent yet. */
  readonly unsent: number;
  /** How long ago the first of them was written, in milliseconds; 0 when there is none. */
  readonly oldestAgeMs: number;
  /** Rows that the broker refuses for good, and what waits behind them. */
  readonly parked: number;
}

/** A row that is not sent, because the broker refuses it or because it waits behind such a one. */
export interface ParkedEvent {
  /** What `retry` and `discard` take. */
  readonly id: string;
  /** Id of the event, with where it was to go. */
  readonly event: string;
  readonly type: string;
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  readonly parkedAtMs: number;
  /** Why the broker refuses it; undefined when it waits behind an earlier one of its key. */
  readonly refused: { readonly code: string; readonly message: string } | undefined;
  /** What has been asked for and is not done yet. */
  readonly asked: "retry" | "discard" | undefined;
}

/**
 * Operations on the outbox, through which events go from the store to the broker. All of them throw TIDINGS_UNSUPPORTED where broker
 * and store are one engine. What is asked for is done by the process that relays the partition, as soon as one runs.
 */
export interface OutboxAdmin {
  partitions(): Promise<readonly OutboxPartition[]>;
  /** In the order in which they would have been sent; at most `limit`, 1000. */
  parked(options?: { readonly limit?: number }): Promise<readonly ParkedEvent[]>;
  /** Has a row sent again, and those behind it after it. Throws TIDINGS_NOT_FOUND, TIDINGS_BUSY. */
  retry(id: string): Promise<void>;
  /** Has a row removed that will never be sent, and sends those behind it. Throws TIDINGS_NOT_FOUND, TIDINGS_BUSY. */
  discard(id: string): Promise<void>;
}

export function outboxAdmin(context: AdminContext): OutboxAdmin {
  return {
    partitions: () => readPartitions(context),
    parked: ({ limit = 1000 } = {}) => readParked(context, limit),
    retry: (id) => ask(context, id, "retry"),
    discard: (id) => ask(context, id, "discard"),
  };
}

/** Broker and store of an engine. Throws TIDINGS_UNSUPPORTED where they are one. */
export function composedOf({ engine }: AdminContext): ComposedEngine {
  if (isComposed(engine)) return engine;
  throw new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `There is no outbox: the engine "${engine.name}" is broker and store in one, and what handlers publish is there when they commit.`,
    { details: { engine: engine.name } },
  );
}

async function readPartitions(context: AdminContext): Promise<readonly OutboxPartition[]> {
  const { store } = composedOf(context);
  if (!(await store.topics.find(outboxTopic))) return [];
  const bounds = await store.topics.bounds(outboxTopic);
  const positions = await relayPositions(store);
  const { state } = storeOf(store);
  const partitions: OutboxPartition[] = [];
  for (let partition = 0; partition < outboxPartitions; partition++) {
    const next = positions[partition] ?? 0;
    const unsent = Math.max(0, (bounds[partition]?.next ?? 0) - next);
    const oldest =
      unsent === 0 ? undefined : await store.topics.read(outboxTopic, partition, next, { events: 1, bytes: 1 });
    const sinceMs = oldest?.records[0]?.appendedAtMs;
    partitions.push({
      partition,
      unsent,
      oldestAgeMs: sinceMs === undefined ? 0 : Math.max(0, context.platform.clock.now() - sinceMs),
      parked: await state.count(outboxCollections.parked, `${partition}/`),
    });
  }
  return partitions;
}

async function readParked(context: AdminContext, limit: number): Promise<readonly ParkedEvent[]> {
  const { state } = storeOf(composedOf(context).store);
  const events: ParkedEvent[] = [];
  for await (const [id, row] of scanAll<ParkedRow>(state, outboxCollections.parked)) {
    if (events.length >= limit) break;
    const { topic, targetPartition: partition, parkedAtMs, refused, asked } = row;
    const { id: event, type, key } = row.record;
    events.push({ id, event, type, topic, partition, key, parkedAtMs, refused, asked: asked?.what });
  }
  return events;
}

/** How often to try again when the row changes meanwhile. */
const triesMax = 5;

async function ask(context: AdminContext, id: string, what: "retry" | "discard"): Promise<void> {
  const { state, transact } = storeOf(composedOf(context).store);
  const { parked: collection } = outboxCollections;
  for (let tries = 0; tries < triesMax; tries++) {
    const [found] = await state.get(collection, [id]);
    if (!found) throw notFound(id);
    const outcome = await transact({
      checks: [{ collection, key: id, version: found.version }],
      documents: [{ collection, key: id, value: asking(found, what, context) }],
    });
    if (outcome.committed) return;
  }
  throw new TidingsError("TIDINGS_BUSY", `The parked event ${id} changes all the time; try again.`, {
    details: { id },
  });
}

function asking({ value }: Document, what: "retry" | "discard", { by, platform }: AdminContext): string {
  const row = JSON.parse(value) as ParkedRow;
  return JSON.stringify({ ...row, asked: { what, by, atMs: platform.clock.now() } } satisfies ParkedRow);
}

function notFound(id: string): TidingsError {
  return new TidingsError(
    "TIDINGS_NOT_FOUND",
    `There is no parked event ${id} in the outbox; \`tidings outbox ls\` lists them.`,
    {
      details: { id },
    },
  );
}
