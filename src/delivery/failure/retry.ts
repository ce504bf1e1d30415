import type { Random } from "../../platform/random.ts";
import { actionOf, codeOf, terminalReason } from "./failure.ts";
import type { DeliveryPolicy, Jitter, RetryAction, RetryRule } from "../policy.ts";
import type { DeadLetterReason } from "../records.ts";

/** What happens after a failure. */
export type NextStep =
  /** Run again after `delayMs`, keeping the slot. `counted` is false when no attempt is used up. */
  | { readonly step: "retry-now"; readonly delayMs: number; readonly counted: boolean }
  /** Hold the key and run again after `delayMs`. */
  | { readonly step: "hold"; readonly delayMs: number }
  | { readonly step: "park"; readonly reason: DeadLetterReason }
  | { readonly step: "discard" }
  | { readonly step: "pause"; readonly pauseMs: number | undefined };

/** What is known of a delivery when it has failed once more. */
export interface FailedDelivery {
  /** Failures so far, this one included. */
  readonly failures: number;
  readonly firstFailedAtMs: number;
  readonly nowMs: number;
  /** True for a redrive: it gets the immediate tries and then is parked again. */
  readonly redriving: boolean;
  /** Conflicts in a row, which have a cap of their own. */
  readonly conflicts: number;
}

/** Conflicts are retried at once without using attempts, but not for ever. */
const conflictsMax = 50;

/** Decides what follows a failure: control errors first, then rules in their order, then the ladder. */
export function nextStep(error: unknown, delivery: FailedDelivery, policy: DeliveryPolicy, random: Random): NextStep {
  const action = actionOf(error);
  if (action === "pause") return { step: "pause", pauseMs: (error as { pauseMs?: number }).pauseMs };
  if (action === "conflict" && delivery.conflicts < conflictsMax)
    return { step: "retry-now", delayMs: 0, counted: false };
  const reason = terminalReason(error);
  if (reason === "unmatched" && policy.unmatched === "discard") return { step: "discard" };
  if (reason !== undefined && !(reason === "unmatched" && policy.unmatched === "retry"))
    return { step: "park", reason };
  const rule = policy.retry.rules.find((candidate) => matches(candidate, error, delivery.failures));
  if (rule) {
    const step = byRule(rule.action, delivery, policy);
    if (step) return step;
  }
  if (action === "retry-after") {
    const delayMs = (error as { retryAfterMs?: number }).retryAfterMs ?? 0;
    return tooOld(delivery, delayMs, policy) ? { step: "park", reason: "exhausted" } : { step: "hold", delayMs };
  }
  return byLadder(delivery, policy, random);
}

function matches(rule: RetryRule, error: unknown, failures: number): boolean {
  if (rule.code !== undefined && codeOf(error) !== rule.code) return false;
  if (rule.errorName !== undefined && (error as { name?: unknown } | undefined)?.name !== rule.errorName) return false;
  if (rule.fromFailure !== undefined && failures < rule.fromFailure) return false;
  try {
    return rule.when === undefined || rule.when(error);
  } catch {
    return false;
  }
}

/** Undefined for `retry`, which leaves the ladder to say when. */
function byRule(action: RetryAction, delivery: FailedDelivery, policy: DeliveryPolicy): NextStep | undefined {
  switch (action.do) {
    case "retry":
      break;
    case "retryAfter":
      return tooOld(delivery, action.delayMs, policy)
        ? { step: "park", reason: "exhausted" }
        : { step: "hold", delayMs: action.delayMs };
    case "deadLetter":
      return { step: "park", reason: "terminal" };
    case "discard":
      return { step: "discard" };
    case "pauseSubscription":
      return { step: "pause", pauseMs: action.pauseMs };
  }
  return undefined;
}

function byLadder(delivery: FailedDelivery, policy: DeliveryPolicy, random: Random): NextStep {
  const { immediateMs, delayedMs, jitter } = policy.retry;
  const immediate = immediateMs[delivery.failures - 1];
  if (immediate !== undefined) return { step: "retry-now", delayMs: immediate, counted: true };
  const delayed = delayedMs[delivery.failures - 1 - immediateMs.length];
  if (delayed === undefined || delivery.redriving) return { step: "park", reason: "exhausted" };
  const delayMs = spread(delayed, jitter, random);
  return tooOld(delivery, delayMs, policy) ? { step: "park", reason: "exhausted" } : { step: "hold", delayMs };
}

function tooOld(delivery: FailedDelivery, delayMs: number, policy: DeliveryPolicy): boolean {
  return delivery.nowMs + delayMs - delivery.firstFailedAtMs > policy.retry.maxAgeMs;
}

/** A delay with its jitter: none d, equal d/2..d, full 0..d. */
export function spread(delayMs: number, jitter: Jitter, random: Random): number {
  if (jitter === "none") return delayMs;
  const share = random.next();
  return Math.round(jitter === "full" ? delayMs * share : delayMs * (0.5 + share / 2));
}
