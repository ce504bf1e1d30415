import type { DocumentWrite } from "../../ports/transaction.ts";
import { collections, type DeadLetterReason } from "../records.ts";

/** Which dead letters an operation was asked to cover. */
export interface RedriveFilter {
  readonly subscription?: string;
  readonly ids?: readonly string[];
  readonly type?: string;
  readonly key?: string;
  readonly tenant?: string;
  readonly reason?: DeadLetterReason;
  readonly fingerprint?: string;
  readonly sinceMs?: number;
  readonly beforeMs?: number;
}

/** When an operation stops by itself. */
export interface AbortRule {
  /** More than this share of the known outcomes are failures: 0.02 is 2 %. */
  readonly share?: number;
  /** More than so many failures. */
  readonly count?: number;
  /** The share counts from so many known outcomes on. */
  readonly minimum: number;
}

/** How an operation goes through what it covers. */
export interface RedrivePace {
  /** Sizes of the first batches; the last one holds for all that follow. */
  readonly ramp: readonly number[];
  /** Most events in a second; undefined for as fast as it goes. */
  readonly perSecond?: number;
  /** So many go first, and all of them must succeed. */
  readonly canary?: number;
  /** How long the last outcomes of a batch are waited for before the next one begins. */
  readonly batchTimeoutMs: number;
  readonly abort?: AbortRule;
}

/** What has become of what an operation covers: covered = remaining + skipped + moved, moved = under way + the other three. */
export interface RedriveCounts {
  /** Dead letters that were open when it began, and matched. */
  readonly covered: number;
  /** Sent back to their subscription. */
  readonly moved: number;
  /** Handled: no dead letters any more. */
  readonly succeeded: number;
  /** Failed again: open dead letters, as before. */
  readonly failedAgain: number;
  /** Closed without being handled while they were under way: by a rule, or by a seek. */
  readonly setAside: number;
  /** Not sent back, because something else had become of them meanwhile. */
  readonly skipped: number;
}

/** One thing that was said or done about an operation. */
export interface RedriveEntry {
  readonly atMs: number;
  readonly what: "started" | "paused" | "resumed" | "cancelled" | "aborted" | "ended";
  readonly by: string;
  readonly reason?: string;
}

/** `aborted` by its rule, `cancelled` by an operator: nothing more is sent back, what is under way still ends. */
export type RedriveState = "running" | "paused" | "aborted" | "cancelled" | "done";

/** A part of a batch that the owner of one partition is asked to send back. */
export interface AskedBatch {
  readonly intent: string;
  /** Number of the subscription. */
  readonly subscription: number;
  readonly partition: number;
}

/** A redrive operation, as it lies in the store. */
export interface RedriveDocument {
  readonly id: string;
  readonly state: RedriveState;
  readonly filter: RedriveFilter;
  readonly pace: RedrivePace;
  readonly by: string;
  readonly reason?: string;
  readonly createdAtMs: number;
  /** Its subscriptions, by the numbers that the items have, each with its topic. */
  readonly subscriptions: readonly (readonly [subscription: string, topic: string])[];
  readonly chunks: number;
  readonly counts: RedriveCounts;
  /** How many batches have begun, and how many of them since the canary. */
  readonly batches: number;
  readonly rampStep: number;
  /** What the owners of partitions are asked and have not answered. */
  readonly asked: readonly AskedBatch[];
  /** Why it does not go on though it is running. */
  readonly waitingFor?: string;
  /** By code: how many were skipped. The first of them stand in `skips`. */
  readonly skippedWhy: Readonly<Record<string, number>>;
  readonly skips: readonly { readonly id: string; readonly code: string; readonly message: string }[];
  readonly log: readonly RedriveEntry[];
  /** When nothing of it was under way any more. */
  readonly endedAtMs?: number;
}

/** What has become of one dead letter that is covered. */
export const itemStatus = Object.freeze({
  waiting: 0,
  /** The owner of its partition is asked to send it back. */
  asked: 1,
  /** Sent back, its outcome is not known. */
  moved: 2,
  succeeded: 3,
  failedAgain: 4,
  setAside: 5,
  skipped: 6,
});

/** One dead letter that is covered, as the chunks hold it: 100,000 of them are kept. */
export type ItemTuple = readonly [
  id: string,
  subscription: number,
  partition: number,
  key: string | null,
  redrives: number,
  status: number,
];

/** A part of what is covered. */
export interface ChunkDocument {
  readonly items: readonly ItemTuple[];
}

/** So many items stand in a chunk. */
export const chunkSize = 200;

/** Key of a chunk; chunks sort in their order. */
export const chunkKey = (operation: string, number: number): string =>
  `${operation}/${String(number).padStart(6, "0")}`;

/** Id of the intent by which an operation asks for one batch in one partition: the same when it is asked again. */
export const redriveIntentId = (operation: string, batch: number, subscription: number, partition: number): string =>
  `${operation}.${batch}.${subscription}.${partition}`;

/** How many are sent back and have no outcome yet. */
export const underWay = ({ moved, succeeded, failedAgain, setAside }: RedriveCounts): number =>
  moved - succeeded - failedAgain - setAside;

/** How many wait for their turn. */
export const remaining = ({ covered, moved, skipped }: RedriveCounts): number => covered - moved - skipped;

/** Writes that move an operation among those that are over, and forget what it covered. */
export function endWrites(document: RedriveDocument, by: string, nowMs: number): readonly DocumentWrite[] {
  const { id, chunks, state } = document;
  const { waitingFor: _, ...rest } = document;
  const ended: RedriveDocument = {
    ...rest,
    state: state === "running" || state === "paused" ? "done" : state,
    endedAtMs: nowMs,
    log: [...document.log, { atMs: nowMs, what: "ended", by }],
  };
  return [
    { collection: collections.redrives, key: id, value: null },
    { collection: collections.endedRedrives, key: id, value: JSON.stringify(ended) },
    ...Array.from({ length: chunks }, (_, chunk) => ({
      collection: collections.redriveItems,
      key: chunkKey(id, chunk),
      value: null,
    })),
  ];
}
