import type { Appended, TopicEntry } from "../../ports/topics.ts";
import type { Outcome, Transaction, UserWork } from "../../ports/transaction.ts";
import { type Draft, draftOf } from "../sql/draft.ts";
import { idConflict } from "../sql/topics.ts";
import { postgresCapabilities } from "./capabilities.ts";

/** A transaction without its publishes. */
export type Applied = Required<Pick<Transaction, "fences" | "checks" | "documents" | "timers">>;

/** One call on its way into a group commit: our own copy, so that what the caller does to its objects changes nothing. */
export interface Call extends Applied {
  readonly drafts: readonly Draft[];
  /** SQL of the user; such a call is a group of its own. */
  readonly sql: readonly UserWork[];
  /** Whether the call is answered only after a sync. */
  readonly durable: boolean;
  /** Whether it may wait a little for company. */
  readonly patient: boolean;
  readonly bytes: number;
  /** When it came, by the monotonic clock. */
  readonly sinceMs: number;
  settle(outcome: Outcome): void;
  reject(error: Error): void;
}

const none: readonly never[] = Object.freeze([]);
const ignore = (): void => undefined;
const toDraft = (entry: TopicEntry): Draft => draftOf(entry, postgresCapabilities.eventBytesMax);

/** The call of a publish. May throw at once. */
export function publishCall(
  entries: readonly TopicEntry[],
  sinceMs: number,
  submit: (call: Call) => void,
): Promise<readonly Appended[]> {
  const drafts = entries.map(toDraft);
  return new Promise((resolve, reject) => {
    const settle = (outcome: Outcome): void => {
      if (outcome.committed) resolve(outcome.appended);
      else reject(idConflict(drafts[outcome.conflict.index] as Draft, outcome.conflict.index));
    };
    submit(publishOf(drafts, sinceMs, settle, reject));
  });
}

/** The same for whoever answers it himself. Throws TIDINGS_EVENT_TOO_LARGE. */
export function publishCallOf(entries: readonly TopicEntry[]): Call {
  return publishOf(entries.map(toDraft), 0, ignore, ignore);
}

/** Without spreads: one of these is made for every publish. */
function publishOf(drafts: Draft[], sinceMs: number, settle: Call["settle"], reject: Call["reject"]): Call {
  return {
    fences: none,
    checks: none,
    documents: none,
    timers: none,
    drafts,
    sql: none,
    durable: true,
    patient: false,
    bytes: bytesOf(drafts),
    sinceMs,
    settle,
    reject,
  };
}

/** The call of a transaction. */
export async function transactCall(
  transaction: Transaction,
  sinceMs: number,
  submit: (call: Call) => void,
): Promise<Outcome> {
  const { fences, checks, documents, timers, durable = true, patient = false } = transaction;
  const sql = [...(transaction.sql ?? [])];
  const drafts = (transaction.publish ?? []).map(toDraft);
  const applied = { fences: copy(fences), checks: copy(checks), documents: copy(documents), timers: copy(timers) };
  let bytes = bytesOf(drafts);
  for (const { value } of applied.documents) bytes += value?.length ?? 0;
  for (const { payload } of applied.timers) bytes += payload?.length ?? 0;
  return new Promise((settle, reject) => {
    // Events are always synced before anybody can see them.
    submit({
      fences: applied.fences,
      checks: applied.checks,
      documents: applied.documents,
      timers: applied.timers,
      drafts,
      sql,
      durable: durable || drafts.length > 0,
      patient,
      bytes,
      sinceMs,
      settle,
      reject,
    });
  });
}

function bytesOf(drafts: readonly Draft[]): number {
  let bytes = 0;
  for (const draft of drafts) bytes += draft.bytes;
  return bytes;
}

function copy<Item extends object>(items: readonly Item[] | undefined): Item[] {
  return (items ?? []).map((item) => ({ ...item }));
}
