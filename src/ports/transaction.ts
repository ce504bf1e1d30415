import type { Appended, TopicEntry } from "./topics.ts";

/** The transaction fails unless the lease still has this token: expired but untaken is fine, released is not. */
export interface Fence {
  readonly lease: string;
  readonly token: number;
}

/** The transaction fails unless the document has this version; 0 means that it does not exist. */
export interface Check {
  readonly collection: string;
  readonly key: string;
  readonly version: number;
}

/** Sets a document, or removes it when `value` is null. Without a check the last writer wins. */
export interface DocumentWrite {
  readonly collection: string;
  readonly key: string;
  readonly value: string | null;
}

/** Sets a timer, or cancels it when `dueAtMs` is null; with `version`, cancels only that setting of it. */
export interface TimerWrite {
  readonly queue: string;
  readonly key: string;
  readonly dueAtMs: number | null;
  readonly payload?: string;
  readonly version?: number;
}

/**
 * SQL of the user. Where the engine's SQL answers at once (sqlite) it must do so, too: a promise is refused; where it answers
 * later (postgres) its promise is waited for.
 */
export type UserWork = (handle: unknown) => unknown;

/**
 * Everything that commits together. Applied in the order of the fields: all fences and checks are
 * looked at first, against committed data; then come the writes, each list in its own order.
 */
export interface Transaction {
  readonly fences?: readonly Fence[];
  readonly checks?: readonly Check[];
  readonly documents?: readonly DocumentWrite[];
  readonly timers?: readonly TimerWrite[];
  readonly publish?: readonly TopicEntry[];
  /** Whether the caller has a use for the positions of what it publishes, as with `Topics.publish`. True unless given. */
  readonly positions?: boolean;
  /**
   * The user's own SQL, each called with the engine's handle inside the transaction, in this order, the next one when the one
   * before has ended. Called again when the transaction has to be done again: its effects happen once.
   */
  readonly sql?: readonly UserWork[];
  /**
   * False: the commit need only survive the death of the process, not the power's, and may be faster.
   * True (the default): as a publish.
   */
  readonly durable?: boolean;
  /**
   * True: nobody waits for this commit, and an engine may let it wait a few milliseconds for company, so that it shares a
   * sync. It keeps its place among the other calls.
   */
  readonly patient?: boolean;
}

/** Why a transaction was not applied. Nothing of it took effect. */
export type Conflict =
  | { readonly kind: "fence"; readonly index: number }
  | { readonly kind: "check"; readonly index: number; readonly version: number }
  | { readonly kind: "id"; readonly index: number };

/** What became of a transaction: `index` in a conflict is the place in `fences`, `checks` or `publish`. */
export type Outcome =
  | { readonly committed: true; readonly appended: readonly Appended[] }
  | { readonly committed: false; readonly conflict: Conflict };
