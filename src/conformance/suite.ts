import type { Engine } from "../ports/engine.ts";
import type { Capabilities } from "../ports/capabilities.ts";
import type { Leases } from "../ports/leases.ts";
import type { State } from "../ports/state.ts";
import type { Timers } from "../ports/timers.ts";
import type { Outcome, Transaction } from "../ports/transaction.ts";
import type { Platform } from "../platform/platform.ts";

/** SQL of the user in the words of an engine. */
export interface UserSqlDialect {
  /** Whether the handle answers at once, so that functions that answer with a promise are refused. */
  readonly synchronous: boolean;
  exec(handle: unknown, sql: string): unknown;
  /** The values of the first column. */
  column(handle: unknown, sql: string): readonly unknown[] | Promise<readonly unknown[]>;
}

/** An engine under test with what the suites may do around it. Made anew for each case by the author's factory. */
export interface Opened {
  readonly engine: Engine;
  /** The platform that the engine was opened with; time and chance of the cases come from it. */
  readonly platform: Platform;
  /** Closes every engine that this object gave and removes their data. */
  close(): Promise<void>;
  /** Closes the first engine and opens another one on the same data. Needed when `capabilities.persistent`. */
  reopen?(): Promise<Engine>;
  /** Another engine on the same data, as a second process has it. Needed when `capabilities.sharedByProcesses`. */
  second?(): Promise<Engine>;
  /** Makes so much time pass for the engine; absent: the cases wait. See `movablePlatform`. */
  pass?(ms: number): Promise<void>;
  /** `EngineContext.deduplicationWindowMs` as the engine was opened; absent: what it does after the window is not tested. */
  readonly deduplicationWindowMs?: number;
  /** Makes the next publish take effect and then reject with TIDINGS_OUTCOME_UNKNOWN; absent: that is not tested. */
  loseNextAnswer?(): void;
  /** How user SQL speaks with the engine's handle. Needed when `capabilities.userSql`. */
  readonly userSql?: UserSqlDialect;
  /** Changes a stored byte of this record behind the engine's back; absent: what it does then is not tested. */
  damage?(topic: string, partition: number, position: number): Promise<void>;
  /** By partition, how far the engine's own tools say that a subscription is; absent: what is shown to them is not tested. */
  shownPositions?(subscription: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /** Why not every legal name of a topic can be had beside all others; absent: all can. */
  readonly namesLimited?: string;
}

/** What a factory and its engine offer: cases say by it why they do not apply. */
export interface Offer {
  readonly capabilities: Capabilities;
  readonly opened: Opened;
}

/** A reason not to run, or undefined. */
export type Needs = (offer: Offer) => string | undefined;

/** What a case works with: the engine, and short ways to what nearly every case does. */
export interface Env {
  readonly opened: Opened;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly capabilities: Capabilities;
  /** The ports, which `needs` has made sure of. */
  readonly state: State;
  readonly timers: Timers;
  readonly leases: Leases;
  transact(transaction: Transaction): Promise<Outcome>;
  /** A name that no other case uses, so that a factory may hand out the same data again and again. */
  unique(prefix?: string): string;
  /** Declares a topic of a unique name. */
  topic(partitions?: number): Promise<string>;
  second(): Promise<Engine>;
  reopen(): Promise<Engine>;
  /** Lets time pass, for the engine at least. */
  pass(ms: number): Promise<void>;
  /** Lets real time pass. */
  wait(ms: number): Promise<void>;
}

/** One fact about an engine, in the present tense, and the code that would see it broken. */
export interface Case {
  readonly name: string;
  readonly needs?: Needs;
  run(env: Env): Promise<void>;
}

/** The cases of one port. */
export interface Suite {
  readonly port: string;
  /** What all its cases need. */
  readonly needs?: Needs;
  readonly cases: readonly Case[];
}
