import type { Platform } from "../platform/platform.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Leases } from "./leases.ts";
import type { State } from "./state.ts";
import type { Timers } from "./timers.ts";
import type { Topics } from "./topics.ts";
import type { Outcome, Transaction } from "./transaction.ts";

/** What an engine tells about itself: facts for `tidings engine info`, in the order to print them. */
export type EngineInfo = Readonly<Record<string, string | number | boolean>>;

/** One finding of a verification. */
export interface VerifyProblem {
  /** Where: a table, a topic with partition and position, a file. */
  readonly place: string;
  readonly problem: string;
}

/** Result of `Engine.verify`. */
export interface VerifyReport {
  readonly recordsChecked: number;
  readonly problems: readonly VerifyProblem[];
}

/**
 * An adapter to a place where events and state live. Ports that it lacks are absent, never stubs that throw.
 * An engine with `state`, `timers`, `leases` and `transact` can be an application's store.
 */
export interface Engine {
  /** `memory`, `sqlite`, ... */
  readonly name: string;
  /** The address without secrets, for logs and errors. */
  readonly address: string;
  readonly capabilities: Capabilities;
  readonly topics: Topics;
  readonly state?: State;
  readonly timers?: Timers;
  readonly leases?: Leases;
  /**
   * Applies all of a transaction or nothing, and resolves when it has its durability. Conflicts are an
   * outcome, not an error; a conflict answer waits for the same sync as a success, since it may speak of
   * writes that are not on disk yet. Transactions and publishes called one after the other commit in that order.
   * Rejects when the storage fails (then nothing took effect, except with TIDINGS_OUTCOME_UNKNOWN) and
   * with what a function of `sql` threw.
   */
  transact?(transaction: Transaction): Promise<Outcome>;
  /** Facts for operators. */
  info(): Promise<EngineInfo>;
  /** Reads everything and checks it: checksums, order, cross references. */
  verify(options?: {
    readonly signal?: AbortSignal;
    readonly onProgress?: (recordsChecked: number) => void;
  }): Promise<VerifyReport>;
  /** Why the engine cannot write now; undefined when it can. Cheap: asked by health checks. */
  trouble(): string | undefined;
  /** Settles what was accepted, then lets go of everything. Closing twice is fine. Afterwards every call rejects with TIDINGS_CLOSED. */
  close(): Promise<void>;
}

/** What every engine is opened with. */
export interface EngineContext {
  readonly platform: Platform;
  /** How long ids given by callers are remembered, in milliseconds. */
  readonly deduplicationWindowMs?: number;
}
