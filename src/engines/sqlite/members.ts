import { isTidingsError } from "../../errors/tidings-error.ts";
import type { Lease, LeaseRequest } from "../../ports/leases.ts";
import type { Appended, TopicEntry, TopicSpec } from "../../ports/topics.ts";
import type { Outcome, Transaction } from "../../ports/transaction.ts";
import { type Draft, draftOf } from "../sql/draft.ts";
import { idConflict } from "../sql/topics.ts";
import { sqliteCapabilities } from "./capabilities.ts";
import { isThrownByUser, runUserSql } from "./user-sql.ts";
import { append, applyTransaction, type Writer } from "./writer.ts";

const toDraft = (entry: TopicEntry): Draft => draftOf(entry, sqliteCapabilities.eventBytesMax);

/** One call on its way into a group commit. */
export interface Member {
  /** Whether the call is answered only after a sync. */
  readonly durable: boolean;
  /** Whether it may wait a little for company. */
  readonly patient: boolean;
  readonly events: number;
  readonly bytes: number;
  /** How many rows it writes beside its events, roughly. */
  readonly rows: number;
  /** Whether it runs SQL of the user, which may end the transaction. */
  readonly userSql: boolean;
  /** When it came, by the monotonic clock. */
  readonly sinceMs: number;
  /**
   * Does its part of the transaction. A returned error refuses the call and says that it has written nothing; what
   * is thrown may have left something, so that the whole group is rolled back.
   */
  apply(writer: Writer): Error | undefined;
  /** After the commit. */
  settle(): void;
  reject(error: Error): void;
}

/** How much a call brings. */
interface Load {
  readonly durable?: boolean;
  readonly patient?: boolean;
  readonly events?: number;
  readonly bytes?: number;
  readonly rows?: number;
  readonly userSql?: boolean;
}

/** A call that is answered with what `run` returns; `run` throws errors of ours before it writes anything. A class, because every publish is one. */
class Call<Result> implements Member {
  readonly durable: boolean;
  readonly patient: boolean;
  readonly events: number;
  readonly bytes: number;
  readonly rows: number;
  readonly userSql: boolean;
  readonly sinceMs: number;
  readonly reject: (error: Error) => void;
  readonly #run: (writer: Writer) => Result;
  readonly #resolve: (result: Result) => void;
  #result: Result | undefined;

  constructor(
    { durable = true, patient = false, events = 0, bytes = 0, rows = 1, userSql = false }: Load,
    sinceMs: number,
    run: (writer: Writer) => Result,
    resolve: (result: Result) => void,
    reject: (error: Error) => void,
  ) {
    this.durable = durable;
    this.patient = patient;
    this.events = events;
    this.bytes = bytes;
    this.rows = rows;
    this.userSql = userSql;
    this.sinceMs = sinceMs;
    this.#run = run;
    this.#resolve = resolve;
    this.reject = reject;
  }

  apply(writer: Writer): Error | undefined {
    try {
      this.#result = this.#run(writer);
      return undefined;
    } catch (error) {
      if (isTidingsError(error) || isThrownByUser(error)) return error;
      throw error;
    }
  }

  settle(): void {
    this.#resolve(this.#result as Result);
  }
}

/** What a function of the user writes is unknown; the checkpoint thread corrects the guess. */
const rowsOfUserSql = 10;

/** How the calls of the ports become members: `submit` hands them over. */
export function callsOf(stampMs: () => number, submit: (member: Member) => void) {
  const call = <Result>(load: Load, run: (writer: Writer) => Result): Promise<Result> =>
    new Promise((resolve, reject) => submit(new Call(load, stampMs(), run, resolve, reject)));

  return {
    /** May throw at once. Not an async function: each more of them costs every publish a promise. */
    publish(entries: readonly TopicEntry[]): Promise<readonly Appended[]> {
      const drafts = entries.map(toDraft);
      const run = (writer: Writer): readonly Appended[] => {
        const result = append(writer, drafts);
        if ("appended" in result) return result.appended;
        throw idConflict(drafts[result.conflict] as Draft, result.conflict);
      };
      return call(sizeOf(drafts), run);
    },

    async transact(transaction: Transaction): Promise<Outcome> {
      const { fences, checks, documents, timers, sql = [], durable = true, patient = false } = transaction;
      const drafts = (transaction.publish ?? []).map(toDraft);
      const applied = { fences: copy(fences), checks: copy(checks), documents: copy(documents), timers: copy(timers) };
      const functions = [...sql];
      const { events, bytes } = sizeOf(drafts);
      let size = bytes;
      for (const { value } of applied.documents) size += value?.length ?? 0;
      for (const { payload } of applied.timers) size += payload?.length ?? 0;
      const rows = applied.documents.length + applied.timers.length + functions.length * rowsOfUserSql;
      const run = (writer: Writer): Outcome =>
        functions.length === 0
          ? applyTransaction(writer, applied, drafts)
          : runUserSql(writer, functions, (userSql) => applyTransaction(writer, applied, drafts, userSql));
      // Events are always synced before anybody can see them.
      return call(
        { durable: durable || drafts.length > 0, patient, events, bytes: size, rows, userSql: functions.length > 0 },
        run,
      );
    },

    declare: (specs: readonly TopicSpec[], now: () => number): Promise<void> =>
      call({}, (writer) => {
        if (writer.logs.create(specs, now())) writer.wrote = true;
      }),

    acquire: (requests: readonly LeaseRequest[]): Promise<readonly (Lease | undefined)[]> => {
      const wanted = copy(requests);
      return leaseCall((writer) => wanted.map((request) => writer.leases.acquire(request, writer.nowMs)));
    },
    renew: (leases: readonly Lease[], ttlMs: number): Promise<readonly (Lease | undefined)[]> => {
      const held = copy(leases);
      return leaseCall((writer) => held.map((lease) => writer.leases.renew(lease, ttlMs, writer.nowMs)));
    },
    release: (leases: readonly Lease[]): Promise<void> => {
      const held = copy(leases);
      return leaseCall((writer) => {
        for (const lease of held) writer.leases.release(lease);
      });
    },
  };

  /** Leases need not survive a power cut; a durable transaction that relies on one syncs it along. */
  function leaseCall<Result>(run: (writer: Writer) => Result): Promise<Result> {
    return call({ durable: false }, (writer) => {
      writer.wrote = true;
      return run(writer);
    });
  }
}

function sizeOf(drafts: readonly Draft[]): { events: number; bytes: number } {
  let bytes = 0;
  for (const draft of drafts) bytes += draft.bytes;
  return { events: drafts.length, bytes };
}

/** What the caller does to its objects after the call changes nothing. */
function copy<Item extends object>(items: readonly Item[] | undefined): Item[] {
  return (items ?? []).map((item) => ({ ...item }));
}
