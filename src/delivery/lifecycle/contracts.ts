import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Contract } from "../../event/contract.ts";
import { topic } from "../../event/topic.ts";
import type { DeadLetterReason } from "../records.ts";

/** A subscription starts nothing new, until it is resumed or until `untilMs`. */
export interface SubscriptionPausedData {
  readonly subscription: string;
  readonly reason: string;
  readonly by: string;
  /** When it goes on by itself, in milliseconds since 1970; nothing is published then. */
  readonly untilMs?: number;
}

/** Somebody has let a paused subscription go on. */
export interface SubscriptionResumedData {
  readonly subscription: string;
  readonly by: string;
}

/** Retention has removed events that a subscription had not handled. */
export interface LostPositionData {
  readonly subscription: string;
  readonly topic: string;
  readonly partition: number;
  /** The first position that is gone. */
  readonly position: number;
  readonly lost: number;
}

/** Something has become of a dead letter. Neither payload nor message: look at it with `app.admin.deadLetters.show`. */
export interface DeadLetterData {
  readonly subscription: string;
  readonly deadLetter: string;
  /** Id and type of the event that was given up. */
  readonly event: string;
  readonly type: string;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** Its ordering key. */
  readonly key: string | null;
  readonly reason: DeadLetterReason;
  readonly code: string;
  /** Equal for failures that are probably the same fault. */
  readonly fingerprint: string;
  readonly failures: number;
  /** How often it was redriven. */
  readonly redrives: number;
  /** Who closed it. */
  readonly by?: string;
}

/** A circuit breaker has changed its state. */
export interface BreakerData {
  /** Name of the dependency, or of the subscription. */
  readonly breaker: string;
  readonly reason: string;
  readonly by: string;
  /** Opened: when a probe may begin, in milliseconds since 1970; absent when an operator has opened it without an end. */
  readonly probeAtMs?: number;
  /** How often in a row it has opened. */
  readonly openings: number;
}

const lifecycleTopic = topic("tidings.lifecycle", {
  key: (data: { readonly subscription?: string; readonly breaker?: string }) =>
    data.subscription ?? data.breaker ?? null,
  partitions: 1,
  retention: { maxAgeMs: 30 * 24 * 60 * 60 * 1000 },
});

/**
 * What the platform tells of itself, as events of the topic `tidings.lifecycle`: handle them like any others. Each is
 * published in the transaction of the change that it tells of. They are published where `tidings({ lifecycle: true })`
 * asks for it, or a service handles one of them.
 */
export const lifecycle = Object.freeze({
  topic: lifecycleTopic,
  SubscriptionPaused: contract<SubscriptionPausedData, "tidings.subscription.paused">("tidings.subscription.paused", [
    "subscription",
    "reason",
    "by",
  ]),
  SubscriptionResumed: contract<SubscriptionResumedData, "tidings.subscription.resumed">(
    "tidings.subscription.resumed",
    ["subscription", "by"],
  ),
  PartitionLostPosition: contract<LostPositionData, "tidings.partition.lost-position">(
    "tidings.partition.lost-position",
    ["subscription", "topic"],
  ),
  DeadLetterParked: deadLetter("tidings.deadletter.parked"),
  DeadLetterRedriven: deadLetter("tidings.deadletter.redriven"),
  DeadLetterResolved: deadLetter("tidings.deadletter.resolved"),
  DeadLetterDiscarded: deadLetter("tidings.deadletter.discarded"),
  DeadLetterRestored: deadLetter("tidings.deadletter.restored"),
  BreakerOpened: breaker("tidings.breaker.opened"),
  BreakerHalfOpened: breaker("tidings.breaker.half-opened"),
  BreakerClosed: breaker("tidings.breaker.closed"),
});

function deadLetter<const Type extends string>(type: Type): Contract<Type, DeadLetterData, DeadLetterData> {
  return contract<DeadLetterData, Type>(type, ["subscription", "deadLetter", "event", "type", "fingerprint"]);
}

function breaker<const Type extends string>(type: Type): Contract<Type, BreakerData, BreakerData> {
  return contract<BreakerData, Type>(type, ["breaker", "reason", "by"]);
}

function contract<Data extends object, const Type extends string>(
  type: Type,
  texts: readonly (keyof Data & string)[],
): Contract<Type, Data, Data> {
  return lifecycleTopic.event(type, { data: withTexts<Data>(texts) });
}

/** A schema by hand, since the package brings no schema library: an object in which these properties are texts. */
function withTexts<Data extends object>(names: readonly (keyof Data & string)[]): StandardSchemaV1<Data, Data> {
  return {
    "~standard": {
      version: 1,
      vendor: "tidings",
      validate(value) {
        const data = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
        const wrong = names.filter((name) => typeof data[name] !== "string");
        if (wrong.length === 0) return { value: value as Data };
        return { issues: wrong.map((name) => ({ message: "must be text", path: [name] })) };
      },
    },
  };
}
