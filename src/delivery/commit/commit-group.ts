import type { Check, DocumentWrite, Fence, TimerWrite, Transaction, UserWork } from "../../ports/transaction.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import type { LifecycleFeed } from "../lifecycle/feed.ts";
import { addCounts, type Progress } from "./progress.ts";
import type { RelayMarks } from "./relay-marks.ts";
import { collections, type Counts, type PositionDocument } from "../records.ts";
import type { Settlement } from "./settlement.ts";

/** A position that needed no handler. */
export interface Passed {
  readonly position: number;
  readonly as: "filtered" | "expired";
}

/** A transaction with the settlements in it. */
export interface Group {
  readonly settlements: readonly Settlement[];
  readonly passed: readonly Passed[];
  readonly transaction: Transaction;
  /** Index of the first check of each settlement, to find the one a conflict speaks of. */
  readonly checkStarts: readonly number[];
  readonly publishStarts: readonly number[];
  readonly document: PositionDocument;
  readonly claimed: boolean;
}

/** What every group of a partition is built with. */
export interface GroupFrame {
  /** Key of the position document. */
  readonly key: string;
  readonly fence: Fence;
  readonly progress: Progress;
  /** What relays have sent. */
  readonly marks: RelayMarks;
  /** Groups of fewer settlements that only move the position may wait for company: nothing is held up by that. */
  readonly patientMax: number;
  /** What tells of dead letters, in the same transaction. */
  readonly feed: LifecycleFeed;
}

/** The place of a document, as one text. */
export const documentName = (collection: string, key: string): string => `${collection}\u0000${key}`;

/** Most settlements and bytes of one transaction: large enough to pay for its sync, small enough not to stall the loop. */
const groupMax = { settlements: 512, bytes: 1024 * 1024 };

/** How many from the front may stand in one transaction: none that reads what an earlier one of them writes. */
export function groupSize(queue: readonly Settlement[], alone: boolean): number {
  const most = Math.min(queue.length, alone ? 1 : groupMax.settlements);
  const written = new Set<string>();
  let bytes = 0;
  for (let taken = 0; taken < most; taken++) {
    const { writes } = queue[taken] as Settlement;
    if (!writes) continue;
    bytes += writes.bytes;
    if (taken > 0 && bytes > groupMax.bytes) return taken;
    if (writes.checks?.some((check) => written.has(documentName(check.collection, check.key)))) return taken;
    if (writes.documents) for (const write of writes.documents) written.add(documentName(write.collection, write.key));
  }
  return most;
}

/** Puts settlements into one transaction that moves the position with them; `progress` has them settled from here on. */
export function buildGroup(
  frame: GroupFrame,
  settlements: readonly Settlement[],
  passed: readonly Passed[],
  before: PositionDocument,
  claim: DocumentWrite | undefined,
  nowMs: number,
): Group {
  const { progress } = frame;
  const changes: Record<string, number> = {};
  const checks: Check[] = [];
  const documents: DocumentWrite[] = [];
  const timers: TimerWrite[] = [];
  const publish: TopicEntry[] = [];
  const sql: UserWork[] = [];
  const checkStarts: number[] = [];
  const publishStarts: number[] = [];
  let durable = false;
  // What only moves the position is waited for by nobody; a large group is company enough.
  let patient = settlements.length < frame.patientMax;
  for (const { position, as } of passed) {
    progress.settle(position);
    count(changes, as, 1);
  }
  for (const settlement of settlements) {
    checkStarts.push(checks.length);
    publishStarts.push(publish.length);
    durable ||= settlement.durable;
    if (settlement.position >= 0) {
      progress.settle(settlement.position);
      count(changes, settlement.as, 1);
    }
    for (const name in settlement.counts) count(changes, name, settlement.counts[name as keyof Counts] as number);
    const { writes } = settlement;
    if (!writes) continue;
    patient = false;
    if (writes.checks) for (const check of writes.checks) checks.push(check);
    if (writes.documents) for (const write of writes.documents) documents.push(write);
    if (writes.timers) for (const write of writes.timers) timers.push(write);
    if (writes.publish) for (const entry of writes.publish) publish.push(entry);
    if (writes.sql) for (const work of writes.sql) sql.push(work);
  }
  // Behind what the settlements publish, so that their places stay as they are noted.
  const told = frame.feed.of(documents);
  if (told) publish.push(...told);
  const document = nextDocument(before, frame, changes, nowMs);
  documents.push({ collection: collections.positions, key: frame.key, value: JSON.stringify(document) });
  if (claim) documents.push(claim);
  return {
    settlements,
    passed,
    transaction: { fences: [frame.fence], checks, documents, timers, publish, positions: false, sql, durable, patient },
    checkStarts,
    publishStarts,
    document,
    claimed: claim !== undefined,
  };
}

function count(changes: Record<string, number>, name: string, by: number): void {
  changes[name] = (changes[name] ?? 0) + by;
}

function nextDocument(
  before: PositionDocument,
  { progress, marks }: GroupFrame,
  changes: Readonly<Record<string, number>>,
  nowMs: number,
): PositionDocument {
  const low = progress.low();
  const relayed = marks.asOf(low);
  return {
    start: before.start,
    low,
    finished: progress.finished(),
    counts: addCounts(before.counts, changes),
    run: before.run,
    movedAtMs: nowMs,
    commit: before.commit + 1,
    ...(relayed ? { relayed } : {}),
  };
}

/** Lets `progress` forget that a group was settled, when its commit has failed. */
export function unsettleGroup(group: Group, progress: Progress): void {
  const positions = group.passed.map(({ position }) => position);
  for (const { position } of group.settlements) if (position >= 0) positions.push(position);
  progress.unsettle(positions);
}

/** The settlement to which an element belongs, by its index in `checks` or `publish` of the transaction. */
export function settlementAt(group: Group, starts: readonly number[], index: number): Settlement {
  return group.settlements[starts.findLastIndex((start) => start <= index)] as Settlement;
}
