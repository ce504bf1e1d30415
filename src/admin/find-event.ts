import { TidingsError } from "../errors/tidings-error.ts";
import type { StoredRecord } from "../event/record.ts";
import type { Engine } from "../ports/engine.ts";
import { eventFates, type EventFate } from "./event-fate.ts";
import { findTopic } from "./topics.ts";

/** How to look for an event. */
export interface FindOptions {
  /** Only in these topics; in all unless given. */
  readonly topics?: readonly string[];
  /** How many events to look at in all; 1,000,000. There is no index by id. */
  readonly scanMax?: number;
  readonly onProgress?: (scanned: number) => void;
  readonly signal?: AbortSignal;
}

/** An event with what led to it and what came of it. */
export interface EventStory {
  readonly event: StoredRecord;
  /** The events that led to it, nearest first. */
  readonly causes: readonly StoredRecord[];
  /** The events that its handlers published, and theirs, in the order of a walk through the tree. */
  readonly effects: readonly EffectNode[];
  /** What became of it in each subscription on its topic. */
  readonly fates: readonly EventFate[];
  /** How many events were looked at. */
  readonly scanned: number;
  /** True when the search ended at `scanMax`: causes and effects may be missing. */
  readonly cut: boolean;
}

/** An event that came of another one. */
export interface EffectNode {
  readonly event: StoredRecord;
  /** 1 for what its own handlers published. */
  readonly depth: number;
}

/** Clocks of publishers and of the store may differ by so much, in milliseconds. */
const clockSlackMs = 10 * 60_000;
const pageLimits = { events: 512, bytes: 8 * 1024 * 1024 };

/**
 * Finds an event by its id, and everything of the same correlation. There is no index: where ids are UUIDv7, looking
 * begins at the time in them, else at the start. Throws TIDINGS_NOT_FOUND.
 */
export async function findEvent(engine: Engine, id: string, options: FindOptions = {}): Promise<EventStory> {
  const scan = createScan(engine, options);
  const event = await findById(scan, id);
  if (!event) {
    const cut = scan.left() <= 0 ? ` among the ${scan.scanned()} events that were looked at; raise --scan-max` : "";
    throw new TidingsError("TIDINGS_NOT_FOUND", `There is no event with the id ${id}${cut}.`, { details: { id } });
  }
  const correlation = event.attributes?.["correlationid"] ?? event.id;
  // The root of it all may lie in another topic and before; its id is the correlation.
  const since = Math.min(timeOfId(correlation) ?? Number.NEGATIVE_INFINITY, event.appendedAtMs);
  const related: StoredRecord[] = [];
  await scan.from(since - clockSlackMs, (record) => {
    const of = record.attributes?.["correlationid"] ?? record.id;
    if (of === correlation || record.attributes?.["causationid"] === id) related.push(record);
    return false;
  });
  const fates = await eventFates(engine, event);
  const story = { causes: causesOf(event, related), effects: effectsOf(event, related) };
  return { event, ...story, fates, scanned: scan.scanned(), cut: scan.left() <= 0 };
}

/** Walks through events and counts them. */
interface Scan {
  /** Looks at everything appended from about then on, until `visit` says that it is done. True when it did. */
  from(timeMs: number, visit: (record: StoredRecord) => boolean): Promise<boolean>;
  scanned(): number;
  left(): number;
}

function createScan(engine: Engine, options: FindOptions): Scan {
  const { scanMax = 1_000_000, onProgress, signal } = options;
  let scanned = 0;

  async function walk(
    topic: string,
    partition: number,
    from: number,
    visit: (record: StoredRecord) => boolean,
  ): Promise<boolean> {
    for (let position = from; scanned < scanMax;) {
      signal?.throwIfAborted();
      const page = await engine.topics.read(topic, partition, position, {
        ...pageLimits,
        events: Math.min(pageLimits.events, scanMax - scanned),
      });
      if (page.records.length === 0) return false;
      for (const record of page.records) {
        scanned += 1;
        if (visit(record)) return true;
      }
      position = page.next;
      onProgress?.(scanned);
    }
    return false;
  }

  return {
    async from(timeMs, visit) {
      const all = options.topics ?? (await engine.topics.list()).map(({ name }) => name);
      for (const topic of all) {
        await findTopic(engine, topic);
        const positions = Number.isFinite(timeMs)
          ? await engine.topics.positionsAt(topic, timeMs)
          : (await engine.topics.bounds(topic)).map(({ first }) => first);
        for (const [partition, position] of positions.entries())
          if (await walk(topic, partition, position, visit)) return true;
      }
      return false;
    },
    scanned: () => scanned,
    left: () => scanMax - scanned,
  };
}

async function findById(scan: Scan, id: string): Promise<StoredRecord | undefined> {
  let found: StoredRecord | undefined;
  const visit = (record: StoredRecord): boolean => {
    if (record.id === id) found = record;
    return found !== undefined;
  };
  const about = timeOfId(id);
  if (about !== undefined) await scan.from(about - clockSlackMs, visit);
  // A chosen id may look like a UUIDv7, and an event may have been published long after it got its id.
  if (!found && scan.left() > 0) await scan.from(Number.NEGATIVE_INFINITY, visit);
  return found;
}

/** The instant in a UUIDv7; undefined for other ids. */
export function timeOfId(id: string): number | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.exec(id);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : undefined;
}

function causesOf(event: StoredRecord, related: readonly StoredRecord[]): StoredRecord[] {
  const byId = new Map(related.map((record) => [record.id, record]));
  const causes: StoredRecord[] = [];
  let cause = event.attributes?.["causationid"];
  while (cause !== undefined) {
    const record = byId.get(cause);
    // Ids that callers chose could go round in a circle.
    if (!record || record.id === event.id || causes.includes(record)) break;
    causes.push(record);
    cause = record.attributes?.["causationid"];
  }
  return causes;
}

function effectsOf(event: StoredRecord, related: readonly StoredRecord[]): EffectNode[] {
  const byCause = new Map<string, StoredRecord[]>();
  for (const record of related) {
    const cause = record.attributes?.["causationid"];
    if (cause !== undefined) byCause.set(cause, [...(byCause.get(cause) ?? []), record]);
  }
  const nodes: EffectNode[] = [];
  const seen = new Set([event.id]);
  const visit = (id: string, depth: number): void => {
    const effects = (byCause.get(id) ?? []).sort((a, b) => a.appendedAtMs - b.appendedAtMs);
    for (const effect of effects) {
      if (seen.has(effect.id)) continue;
      seen.add(effect.id);
      nodes.push({ event: effect, depth });
      visit(effect.id, depth + 1);
    }
  };
  visit(event.id, 1);
  return nodes;
}
