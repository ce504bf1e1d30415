import { TidingsError } from "../../errors/tidings-error.ts";
import type { Engine } from "../../ports/engine.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import type { Transaction } from "../../ports/transaction.ts";

/** A call on its way to the data, as a fault hook sees it. */
export interface MemoryCall {
  /** `lease` stands for every call of the leases port, `admin` for declare and retain, `read` for all that only looks. */
  readonly kind: "publish" | "transact" | "lease" | "admin" | "read";
  readonly engine: Engine;
  /** What a `publish` appends. */
  readonly entries?: readonly TopicEntry[];
  /** What a `transact` applies. */
  readonly transaction?: Transaction;
}

/** What shall go wrong with a call. */
export interface MemoryFault {
  /** Waits before the call takes effect; later calls of the same engine wait behind it. */
  readonly delayMs?: number;
  /** `before`: rejects and nothing took effect. `after`: takes effect and rejects with TIDINGS_OUTCOME_UNKNOWN. */
  readonly fail?: "before" | "after";
  /** What a failure `before` rejects with; TIDINGS_BUSY unless given. */
  readonly error?: Error;
  /** Takes effect at once but answers so much later; a crash in between leaves the outcome unknown. */
  readonly answerDelayMs?: number;
}

/** Looks at a call and says what shall go wrong with it; undefined for nothing. */
export type FaultHook = (call: MemoryCall) => MemoryFault | undefined;

/** Hears of every call that took effect, in the order in which they did, with what it answers; also when the answer is lost. */
export type EffectObserver = (call: MemoryCall, result: unknown) => void;

/** The rejection of a call that failed before it took effect. */
export function failedBefore(fault: MemoryFault): Error {
  return fault.error ?? new TidingsError("TIDINGS_BUSY", "A fault hook of the memory engine refused the call.");
}

/** The rejection of a call whose effect the caller cannot know. */
export function outcomeUnknown(): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    "The memory engine lost the answer: the write may or may not have taken effect. Repeat with checkId.",
  );
}
