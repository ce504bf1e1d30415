import { TidingsError } from "../errors/tidings-error.ts";
import { partitionOf } from "../event/partitioner.ts";
import type { StoredRecord } from "../event/record.ts";
import type { Engine } from "../ports/engine.ts";
import type { Clock } from "../platform/clock.ts";
import { findTopic } from "./topics.ts";

/** Where reading begins, or where a subscription is moved to. */
export type Place =
  "start" | "end" | { readonly timeMs: number } | { readonly partition: number; readonly position: number };

/** Which events to read. */
export interface ReadOptions {
  readonly topics: readonly string[];
  readonly from: Place;
  /** Go on with what is published later; else reading ends with what is there now. */
  readonly follow?: boolean;
  readonly limit?: number;
  /** Only events of this ordering key. */
  readonly key?: string;
  readonly types?: readonly string[];
  readonly where?: (record: StoredRecord) => boolean;
  readonly signal?: AbortSignal;
}

/** A partition that is being read. */
interface Cursor {
  readonly topic: string;
  readonly partition: number;
  position: number;
  /** Where to end; undefined when following. */
  readonly end: number | undefined;
  buffer: StoredRecord[];
}

const pageLimits = { events: 256, bytes: 4 * 1024 * 1024 };
/** How often to look when no hint comes, in milliseconds. */
const lookEveryMs = 1000;

/**
 * Events of several topics as one sequence, in each partition in its order and between partitions by the time at
 * which they were appended, as far as that is known when they are read. Throws TIDINGS_NOT_FOUND, TIDINGS_RECORD_CORRUPT.
 */
export async function* readEvents(engine: Engine, clock: Clock, options: ReadOptions): AsyncGenerator<StoredRecord> {
  const { follow = false, limit = Number.POSITIVE_INFINITY, signal } = options;
  const cursors = [];
  for (const topic of options.topics) cursors.push(...(await cursorsOf(engine, topic, options)));
  const wake = follow ? wakeUps(engine, clock, options.topics, signal) : undefined;
  const wanted = filterOf(options);
  let yielded = 0;
  try {
    while (yielded < limit && !signal?.aborted) {
      const record = await nextOf(engine, cursors);
      if (record) {
        if (!wanted(record)) continue;
        yield record;
        yielded += 1;
      } else if (wake) await wake.next();
      else return;
    }
  } finally {
    wake?.close();
  }
}

async function cursorsOf(engine: Engine, topic: string, options: ReadOptions): Promise<Cursor[]> {
  const { partitions } = await findTopic(engine, topic);
  const { from, key, follow } = options;
  const positions = await positionsOf(engine, topic, from);
  const bounds = await engine.topics.bounds(topic);
  const only = key === undefined ? undefined : partitionOf(key, partitions);
  return positions.flatMap((position, partition) => {
    if (position === undefined || (only !== undefined && partition !== only)) return [];
    return [{ topic, partition, position, end: follow ? undefined : (bounds[partition]?.next ?? 0), buffer: [] }];
  });
}

/** By partition: the position of a place; undefined for partitions that it leaves out. Throws TIDINGS_INVALID_OPTION. */
export async function positionsOf(
  engine: Engine,
  topic: string,
  place: Place,
): Promise<readonly (number | undefined)[]> {
  const bounds = await engine.topics.bounds(topic);
  if (place === "start") return bounds.map(({ first }) => first);
  if (place === "end") return bounds.map(({ next }) => next);
  if ("timeMs" in place) return engine.topics.positionsAt(topic, place.timeMs);
  const range = bounds[place.partition];
  if (!range) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The topic "${topic}" has partitions 0 to ${bounds.length - 1}, not ${place.partition}.`,
      { details: { topic, partition: place.partition } },
    );
  }
  if (place.position < range.first || place.position > range.next) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `Partition ${place.partition} of "${topic}" holds positions ${range.first} to ${range.next}, not ${place.position}.`,
      { details: { topic, partition: place.partition, position: place.position } },
    );
  }
  return bounds.map((_, partition) => (partition === place.partition ? place.position : undefined));
}

function filterOf({ key, types, where }: ReadOptions): (record: StoredRecord) => boolean {
  const wantedTypes = types && types.length > 0 ? new Set(types) : undefined;
  return (record) =>
    (key === undefined || record.key === key) &&
    (wantedTypes === undefined || wantedTypes.has(record.type)) &&
    (where === undefined || where(record));
}

/** The event that was appended first among those at the cursors; undefined when all have come to their end. */
async function nextOf(engine: Engine, cursors: readonly Cursor[]): Promise<StoredRecord | undefined> {
  let first: Cursor | undefined;
  for (const cursor of cursors) {
    if (cursor.buffer.length === 0) await fill(engine, cursor);
    const [head] = cursor.buffer;
    if (head && head.appendedAtMs < (first?.buffer[0]?.appendedAtMs ?? Number.POSITIVE_INFINITY)) first = cursor;
  }
  return first?.buffer.shift();
}

async function fill(engine: Engine, cursor: Cursor): Promise<void> {
  const { topic, partition, end = Number.POSITIVE_INFINITY } = cursor;
  if (cursor.position >= end) return;
  const page = await engine.topics.read(topic, partition, cursor.position, pageLimits);
  cursor.buffer = page.records.filter(({ position }) => position < end);
  cursor.position = page.next;
}

/** Waits for a hint that one of the topics has grown, or a little while. Wakes at once when the signal aborts. */
function wakeUps(
  engine: Engine,
  clock: Clock,
  topics: readonly string[],
  signal: AbortSignal | undefined,
): { next(): Promise<void>; close(): void } {
  let hinted = true;
  let wake: (() => void) | undefined;
  const hint = (): void => {
    hinted = true;
    wake?.();
  };
  const unwatch = topics.map((topic) => engine.topics.watch(topic, hint));
  signal?.addEventListener("abort", hint, { once: true });
  return {
    next: () =>
      new Promise((resolve) => {
        const done = (): void => {
          cancel();
          wake = undefined;
          hinted = false;
          resolve();
        };
        const cancel = clock.after(lookEveryMs, done);
        wake = done;
        if (hinted) done();
      }),
    close() {
      for (const end of unwatch) end();
      signal?.removeEventListener("abort", hint);
    },
  };
}
