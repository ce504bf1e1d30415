import type { CancelTimer, Clock } from "../../platform/clock.ts";
import type { Guard } from "../guards/guard.ts";
import { type HeldDocument, partitionKey, type Tries } from "../records.ts";

/** A held key as its owner has it in memory; the store has the same in a held document. */
export interface HeldEntry {
  /** Unique in the partition: the key, or the position of an event that is held alone. */
  readonly id: string;
  readonly key: string | null;
  readonly blocking: boolean;
  reason: HeldDocument["reason"];
  sinceMs: number;
  dueAtMs: number | undefined;
  /** The same by the monotonic clock, for the `dueAtMs` beside it: the wall clock may be set while it waits. */
  due: { readonly dueAtMs: number; readonly monotonicMs: number } | undefined;
  headSeq: number;
  nextSeq: number;
  tries: Tries;
  deadLetter: string | undefined;
  redriving: boolean;
  running: HeldDocument["running"];
  /** Its head may have killed a process: it runs alone, and only a death under that run is held against it. */
  suspect: boolean;
  note: string | undefined;
  /** Its last event is being settled: gone as soon as that is committed, unless another one joins. */
  releasing: boolean;
  /** A run of its head is under way or about to be. */
  busy: boolean;
  cancelTimer: CancelTimer | undefined;
  /** What its head waits for besides what its handler uses. */
  waitsFor: Guard | undefined;
  /** Guards of its head, once they have refused it: asked before the head is read again. */
  guards: readonly Guard[] | undefined;
  /** Monotonic time since when its head waits for them. */
  waitingSince: number | undefined;
}

/** Id of the held entry of a key. Two keys of one partition never share it. */
export const heldIdOfKey = (key: string): string => `k:${encodeURIComponent(key.toWellFormed())}`;

/** Id of an event that is held alone. */
export const heldIdOfPosition = (position: number): string => `p:${position}`;

/** Key of the held document. */
export const heldKey = (partition: number, id: string): string => `${partitionKey(partition)}/${id}`;

/** Key of an event behind it; they sort in their order. */
export const heldEventKey = (partition: number, id: string, seq: number): string =>
  `${heldKey(partition, id)}#${String(seq).padStart(12, "0")}`;

/** First sequence number: high enough that an event can still be put in front of one that waits. */
const firstSeq = 1_000_000;

/** A new entry with no events yet. */
export function newEntry(id: string, key: string | null, blocking: boolean, nowMs: number, tries: Tries): HeldEntry {
  return {
    id,
    key,
    blocking,
    reason: "retry",
    sinceMs: nowMs,
    dueAtMs: undefined,
    due: undefined,
    headSeq: firstSeq,
    nextSeq: firstSeq,
    tries,
    deadLetter: undefined,
    redriving: false,
    running: undefined,
    suspect: false,
    note: undefined,
    releasing: false,
    busy: false,
    cancelTimer: undefined,
    waitsFor: undefined,
    guards: undefined,
    waitingSince: undefined,
  };
}

/** How many events it holds, head included. */
export const heldCount = (entry: HeldEntry): number => entry.nextSeq - entry.headSeq;

/** The document of an entry. */
export function entryToDocument(entry: HeldEntry, partition: number, run: number): HeldDocument {
  return {
    partition,
    key: entry.key,
    blocking: entry.blocking,
    reason: entry.reason,
    sinceMs: entry.sinceMs,
    headSeq: entry.headSeq,
    nextSeq: entry.nextSeq,
    run,
    tries: entry.tries,
    ...(entry.dueAtMs === undefined ? {} : { dueAtMs: entry.dueAtMs }),
    ...(entry.deadLetter === undefined ? {} : { deadLetter: entry.deadLetter }),
    ...(entry.redriving ? { redriving: true } : {}),
    ...(entry.running === undefined ? {} : { running: entry.running }),
    ...(entry.note === undefined ? {} : { note: entry.note }),
  };
}

/** Its head may have killed a process: at its next run it is alone. Until then, nobody can have died under that. */
export function noteSuspect(entry: HeldEntry): void {
  entry.suspect = true;
  entry.running = "shared";
}

/** Lets the entry wait for so long, whatever becomes of the wall clock. */
export function dueIn(entry: HeldEntry, clock: Clock, delayMs: number): void {
  const dueAtMs = clock.now() + delayMs;
  entry.dueAtMs = dueAtMs;
  entry.due = { dueAtMs, monotonicMs: clock.monotonic() + delayMs };
}

/** How long the entry has to wait still. What another process has written is known by the wall clock alone. */
export function waitOf(entry: HeldEntry, clock: Clock): number {
  const { dueAtMs } = entry;
  if (dueAtMs === undefined) return 0;
  if (entry.due?.dueAtMs !== dueAtMs)
    entry.due = { dueAtMs, monotonicMs: clock.monotonic() + Math.max(0, dueAtMs - clock.now()) };
  return Math.max(0, entry.due.monotonicMs - clock.monotonic());
}

/** The entry of a document. */
export function entryFromDocument(id: string, document: HeldDocument): HeldEntry {
  const entry = newEntry(id, document.key, document.blocking, document.sinceMs, document.tries);
  return Object.assign(entry, {
    reason: document.reason,
    dueAtMs: document.dueAtMs,
    headSeq: document.headSeq,
    nextSeq: document.nextSeq,
    deadLetter: document.deadLetter,
    redriving: document.redriving ?? false,
    running: document.running,
    note: document.note,
  });
}
