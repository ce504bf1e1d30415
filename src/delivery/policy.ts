import { TidingsError } from "../errors/tidings-error.ts";
import { checkOptions } from "../lib/options.ts";

/** What a failing event of a key does to the events behind it. */
export type OnFailure = "blockKey" | "skipAhead" | "blockPartition";

/** How chance spreads a delay d: not at all; d/2..d; 0..d. */
export type Jitter = "none" | "equal" | "full";

/** What a matching rule does. */
export type RetryAction =
  | { readonly do: "retry" }
  | { readonly do: "retryAfter"; readonly delayMs: number }
  | { readonly do: "deadLetter" }
  | { readonly do: "discard" }
  | { readonly do: "pauseSubscription"; readonly pauseMs?: number };

/** An ordered rule: the first that matches decides. */
export interface RetryRule {
  /** Matches errors with this code, or of a class with this name; absent matches all. */
  readonly code?: string;
  readonly errorName?: string;
  /** A rule of which the predicate throws does not match. */
  readonly when?: (error: unknown) => boolean;
  /** Only from this failure on, counted from 1. */
  readonly fromFailure?: number;
  readonly action: RetryAction;
}

/** How often and when a failed delivery is tried again. */
export interface RetryPolicy {
  /** Delays of the tries made at once, in milliseconds; the delivery keeps its slot meanwhile. */
  readonly immediateMs: readonly number[];
  /** Delays of the later tries; the key is held meanwhile and no slot is used. */
  readonly delayedMs: readonly number[];
  readonly jitter: Jitter;
  /** Give up when the first failure is longer ago than this. */
  readonly maxAgeMs: number;
  /** Park an event after it ran alone while the process died so many times. */
  readonly stallsMax: number;
  readonly rules: readonly RetryRule[];
}

/** Everything about delivery that can be set by handler, event type, service and application. */
export interface DeliveryPolicy {
  readonly retry: RetryPolicy;
  readonly onFailure: OnFailure;
  /** Longest run of a handler; its signal aborts then, and the delivery has failed. */
  readonly timeoutMs: number;
  /** What becomes of an event of a selected type whose version no handler knows: kept as dead letter, counted away, or failed like any other. */
  readonly unmatched: "park" | "discard" | "retry";
}

/** The same with every part optional, as users write it. */
export interface DeliveryOptions extends Partial<Omit<DeliveryPolicy, "retry">> {
  readonly retry?: Partial<RetryPolicy>;
}

const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

/** DESIGN: three tries at once, then five over about an hour and a quarter, at most a day in all. */
export const defaultPolicy: DeliveryPolicy = Object.freeze({
  retry: Object.freeze({
    immediateMs: [0, 50, 250],
    delayedMs: [5 * seconds, 30 * seconds, 2 * minutes, 10 * minutes, hours],
    jitter: "full" as const,
    maxAgeMs: 24 * hours,
    stallsMax: 3,
    rules: [],
  }),
  onFailure: "blockKey" as const,
  timeoutMs: 60 * seconds,
  unmatched: "park" as const,
});

const retryNames = ["immediateMs", "delayedMs", "jitter", "maxAgeMs", "stallsMax", "rules"];

/** Names of `DeliveryOptions`, for checks. */
export const deliveryOptionNames = ["retry", "onFailure", "timeoutMs", "unmatched"] as const;

/** The policy that holds: each later layer overrides the ones before; rules of inner layers come first. */
export function resolvePolicy(...layers: readonly (DeliveryOptions | undefined)[]): DeliveryPolicy {
  let policy = defaultPolicy;
  for (const layer of layers) {
    if (!layer) continue;
    const rules = [...(layer.retry?.rules ?? []), ...policy.retry.rules];
    policy = {
      retry: { ...policy.retry, ...layer.retry, rules },
      onFailure: layer.onFailure ?? policy.onFailure,
      timeoutMs: layer.timeoutMs ?? policy.timeoutMs,
      unmatched: layer.unmatched ?? policy.unmatched,
    };
  }
  return policy;
}

/** Refuses delivery options that cannot be meant. Throws TIDINGS_INVALID_OPTION. */
export function checkDeliveryOptions(where: string, options: DeliveryOptions): void {
  oneOf(where, "onFailure", options.onFailure, ["blockKey", "skipAhead", "blockPartition"]);
  oneOf(where, "unmatched", options.unmatched, ["park", "discard", "retry"]);
  atLeast(where, "timeoutMs", options.timeoutMs, 1);
  const { retry } = options;
  if (retry === undefined) return;
  checkOptions(`${where}.retry`, retry, retryNames);
  oneOf(where, "retry.jitter", retry.jitter, ["none", "equal", "full"]);
  atLeast(where, "retry.maxAgeMs", retry.maxAgeMs, 0);
  atLeast(where, "retry.stallsMax", retry.stallsMax, 1);
  for (const [name, delays] of [
    ["immediateMs", retry.immediateMs],
    ["delayedMs", retry.delayedMs],
  ] as const) {
    if (delays === undefined) continue;
    if (!Array.isArray(delays)) throw invalid(where, `retry.${name}`, "a list of milliseconds");
    for (const delay of delays) atLeast(where, `retry.${name}`, delay as number, 0);
  }
}

function oneOf(where: string, name: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value as string))
    throw invalid(where, name, `one of ${allowed.join(", ")}`);
}

function atLeast(where: string, name: string, value: unknown, least: number): void {
  if (value !== undefined && !(typeof value === "number" && value >= least))
    throw invalid(where, name, `a number of at least ${least}`);
}

function invalid(where: string, name: string, wanted: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option ${name} of ${where} must be ${wanted}.`);
}
