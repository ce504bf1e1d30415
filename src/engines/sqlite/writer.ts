import type { Appended } from "../../ports/topics.ts";
import type { Conflict, Outcome, Transaction } from "../../ports/transaction.ts";
import { type Appender, appenderOf } from "./append.ts";
import type { Connection } from "./binding.ts";
import { type Documents, documentsOf } from "./documents.ts";
import type { Draft } from "../sql/draft.ts";
import type { Heads } from "./heads.ts";
import { type LeaseTable, leasesOf } from "./leases.ts";
import type { Logs } from "./logs.ts";
import { type PublishedIds, publishedIdsOf } from "./published.ts";
import { type TimerTable, timersOf } from "./timers.ts";

/** Everything a member of a group commit writes through, inside the group's transaction. */
export interface Writer {
  readonly connection: Connection;
  readonly logs: Logs;
  readonly appender: Appender;
  readonly documents: Documents;
  readonly timers: TimerTable;
  readonly leases: LeaseTable;
  readonly published: PublishedIds;
  readonly deduplicationWindowMs: number;
  /** The group's time. */
  nowMs: number;
  /** Whether the transaction at hand has changed anything. */
  wrote: boolean;
  /** Collections that it has changed. */
  readonly collections: Set<string>;
}

/** A transaction without its publishes and its SQL, and what it publishes. */
export type Applied = Pick<Transaction, "fences" | "checks" | "documents" | "timers">;

/** The tables of one connection. */
export function writerOf(connection: Connection, logs: Logs, heads: Heads, deduplicationWindowMs: number): Writer {
  return {
    connection,
    logs,
    appender: appenderOf(connection, heads),
    documents: documentsOf(connection),
    timers: timersOf(connection),
    leases: leasesOf(connection),
    published: publishedIdsOf(connection),
    deduplicationWindowMs,
    nowMs: 0,
    wrote: false,
    collections: new Set(),
  };
}

/** Where events would go; nothing is written yet. */
interface Plan {
  readonly logs: readonly number[];
  /** By index, what stands there already, or the index of the same event earlier in the call. */
  readonly duplicates: ReadonlyMap<number, Appended | number> | undefined;
}

/** Appends all, or nothing when an id was published with another payload. Throws before anything is written. */
export function append(
  writer: Writer,
  drafts: readonly Draft[],
): { appended: readonly Appended[] } | { conflict: number } {
  const plan = planOf(writer, drafts);
  return typeof plan === "number" ? { conflict: plan } : { appended: carryOut(writer, drafts, plan) };
}

/**
 * Looks at all fences, checks and ids before anything is written, so that a conflict needs no savepoint.
 * `userSql` is called behind the other writes and before the events are placed: what it throws leaves no events behind.
 */
export function applyTransaction(
  writer: Writer,
  transaction: Applied,
  drafts: readonly Draft[],
  userSql?: () => void,
): Outcome {
  const conflict = conflictOf(writer, transaction);
  if (conflict) return { committed: false, conflict };
  const plan = planOf(writer, drafts);
  if (typeof plan === "number") return { committed: false, conflict: { kind: "id", index: plan } };
  for (const write of transaction.documents ?? []) {
    writer.documents.write(write);
    writer.collections.add(write.collection);
    writer.wrote = true;
  }
  for (const write of transaction.timers ?? []) {
    writer.timers.write(write);
    writer.wrote = true;
  }
  userSql?.();
  return { committed: true, appended: carryOut(writer, drafts, plan) };
}

function conflictOf({ leases, documents }: Writer, { fences = [], checks = [] }: Applied): Conflict | undefined {
  for (const [index, { lease, token }] of fences.entries()) {
    if (!leases.holds(lease, token)) return { kind: "fence", index };
  }
  for (const [index, check] of checks.entries()) {
    const version = documents.version(check.collection, check.key);
    if (version !== check.version) return { kind: "check", index, version };
  }
  return undefined;
}

/** The plan, or the index of the first entry whose id means another payload. */
function planOf({ logs, published, nowMs, deduplicationWindowMs }: Writer, drafts: readonly Draft[]): Plan | number {
  const places: number[] = [];
  let duplicates: Map<number, Appended | number> | undefined;
  let batch: Map<string, number> | undefined;
  for (let index = 0; index < drafts.length; index++) {
    const draft = drafts[index] as Draft;
    places.push(logs.log(draft.topic, draft.partition));
    if (draft.hash === undefined) continue;
    const known = published.find(draft.source, draft.id, nowMs - deduplicationWindowMs);
    const identity = `${draft.source.length} ${draft.source}${draft.id}`;
    const earlier = batch?.get(identity);
    const hash = known?.hash ?? (earlier === undefined ? undefined : drafts[earlier]?.hash);
    if (hash !== undefined && hash !== draft.hash) return index;
    if (known) (duplicates ??= new Map()).set(index, { position: known.position, duplicate: true });
    else if (earlier !== undefined) (duplicates ??= new Map()).set(index, earlier);
    else (batch ??= new Map()).set(identity, index);
  }
  return { logs: places, duplicates };
}

function carryOut(writer: Writer, drafts: readonly Draft[], { logs, duplicates }: Plan): readonly Appended[] {
  const appended: Appended[] = [];
  for (let index = 0; index < drafts.length; index++) {
    const draft = drafts[index] as Draft;
    const duplicate = duplicates?.get(index);
    if (duplicate !== undefined) {
      appended.push(
        typeof duplicate === "object"
          ? duplicate
          : { position: (appended[duplicate] as Appended).position, duplicate: true },
      );
      continue;
    }
    const log = logs[index] as number;
    const position = writer.appender.stage(log, draft);
    if (draft.hash !== undefined) writer.published.remember(draft, log, position, writer.nowMs);
    appended.push({ position, duplicate: false });
    writer.wrote = true;
  }
  return appended;
}
