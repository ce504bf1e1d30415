import type { EventRecord, StoredRecord } from "../event/record.ts";

/**
 * The documents in which delivery keeps its affairs, as they lie in the store. Collections of one subscription carry its
 * name, so that one scan finds all of it. Everything here is written in a transaction that is fenced
 * with the partition's lease, apart from definitions, controls and intents.
 */
export const collections = Object.freeze({
  /** Definition of each subscription, by its name. */
  subscriptions: "$subscription",
  /** Pause switch of each subscription, by its name. */
  controls: "$control",
  /** Place of each partition, by `<subscription>/<partition>`. */
  positions: "$position",
  /** What may be running, by `<subscription>/<partition>`. */
  claims: "$claim",
  held: (subscription: string) => `$held/${subscription}`,
  heldEvents: (subscription: string) => `$held-event/${subscription}`,
  deadLetters: (subscription: string) => `$dead/${subscription}`,
  /** Dead letters that were resolved or discarded: their story without influence. */
  closedDeadLetters: (subscription: string) => `$dead-closed/${subscription}`,
  /** What operators ask of the owners of partitions, by `<subscription>/<id>`. */
  intents: "$intent",
  /** What became of an intent, by its id. */
  answers: "$answer",
  /** Circuit breakers, by their names. */
  breakers: "$breaker",
  /** What is left of shared rate limits, by their names. */
  rates: "$rate",
  /** Redrive operations that are not over, by their id; see `redrive/documents.ts`. */
  redrives: "$redrive",
  endedRedrives: "$redrive-ended",
  /** What they cover, in chunks, by `<id>/<number>`. */
  redriveItems: "$redrive-item",
  /** One document that changes with each new operation, so that two never cover the same dead letter. */
  redriveGuard: "$redrive-guard",
  inbox: (subscription: string) => `$inbox/${subscription}`,
  once: (subscription: string) => `$once/${subscription}`,
  state: (service: string, box: string) => `state/${service}/${box}`,
});

/** `payments/orders`: what the service payments has on the topic orders. */
export const subscriptionName = (service: string, topic: string): string => `${service}/${topic}`;

/** Partition numbers in keys, padded so that they sort. */
export const partitionKey = (partition: number): string => String(partition).padStart(5, "0");

/** Key of the position and claim documents. */
export const positionKey = (subscription: string, partition: number): string =>
  `${subscription}/${partitionKey(partition)}`;

/** What became of events behind a position; with `pending` they add up to last minus start. */
export interface Counts {
  readonly handled: number;
  readonly filtered: number;
  readonly expired: number;
  readonly discarded: number;
  readonly skipped: number;
  /** Waiting as held keys: retries, dead letters, and what waits behind them. */
  readonly held: number;
  /** At-most-once only: begun, and not known to have ended. */
  readonly unknown: number;
}

/** Place of a subscription in one partition. */
export interface PositionDocument {
  /** Where this run began. */
  readonly start: number;
  /** Every position below is settled. */
  readonly low: number;
  /** Settled ranges above `low`, each from–to with both ends inside. */
  readonly finished: readonly (readonly [number, number])[];
  readonly counts: Counts;
  /** Rises with each seek or reset; part of what dedupes. */
  readonly run: number;
  /** When a commit last moved it. */
  readonly movedAtMs: number;
  /** Number of the commit that wrote this: tells whether a commit of unknown outcome took effect. */
  readonly commit: number;
  /** By stream of a relay: the last number below `low`. Absent where no relay has sent anything. */
  readonly relayed?: Readonly<Record<string, number>>;
}

/** What may be running in a partition. Survives the process's death; what it covers and is not settled is suspect. */
export interface ClaimDocument {
  /** Whose claims these are, as their leases name them. */
  readonly by?: readonly string[] | undefined;
  /** Positions from the low position up to here (exclusive) may have been started. */
  readonly to: number;
  /** The one delivery that runs alone, and how many deaths it has caused so far. */
  readonly solo?: { readonly position: number; readonly stalls: number };
  /** Those that have still to run alone, by position, and how many deaths each has caused so far. */
  readonly suspects?: Readonly<Record<string, number>>;
  /** Failures so far of deliveries in their immediate retries, by position. */
  readonly failures?: Readonly<Record<string, number>>;
}

/** An event record as a document holds it: bytes become base64. */
export type RecordDocument = Omit<EventRecord, "data" | "attributes"> & {
  readonly attributes?: Readonly<Record<string, string>>;
  readonly data?: string;
  readonly dataBase64?: string;
};

/** One failed try. */
export interface AttemptRecord {
  readonly atMs: number;
  readonly host: string;
  readonly code: string;
  readonly message: string;
}

/** The error that an event gave, as operators see it. */
export interface FailureRecord {
  readonly code: string;
  /** Class of the error. */
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Equal for failures that are probably the same fault. */
  readonly fingerprint: string;
}

/** Three counters with caps of their own. */
export interface Tries {
  /** Times the handler threw. */
  readonly failures: number;
  /** Times the process died while it ran alone. */
  readonly stalls: number;
  /** Times it was handed to the handler. */
  readonly deliveries: number;
  /** The last failures, at most 20. */
  readonly attempts: readonly AttemptRecord[];
  readonly firstFailedAtMs?: number;
}

/** A held key: its head waits, and what came after it waits behind. */
export interface HeldDocument {
  readonly partition: number;
  /** The ordering key; null for an event that is held alone. */
  readonly key: string | null;
  /** Whether later events of the key wait behind it. */
  readonly blocking: boolean;
  readonly reason: "retry" | "dead" | "paused" | "drain";
  readonly sinceMs: number;
  /** When the head is tried again, or the pause ends. */
  readonly dueAtMs?: number;
  /** Sequence numbers of its events: head first, next free last. */
  readonly headSeq: number;
  readonly nextSeq: number;
  readonly run: number;
  readonly tries: Tries;
  /** Its dead letter, when it has one. */
  readonly deadLetter?: string;
  /** True while a redrive runs: another failure parks it again at once. */
  readonly redriving?: boolean;
  /** Set while the head runs, so that a death of the process is noticed: among others, or alone. */
  readonly running?: "shared" | "solo";
  readonly note?: string;
}

/** An event behind a held key. */
export interface HeldEventDocument {
  readonly position: number;
  readonly appendedAtMs: number;
  readonly record: RecordDocument;
  /** It has the identity of another event, and another payload: it is parked when it comes first. */
  readonly idConflict?: boolean;
}

/** Why an event became a dead letter. */
export type DeadLetterReason =
  "exhausted" | "terminal" | "unmatched" | "validation" | "undecodable" | "stalled" | "id-conflict" | "manual";

/** An event that a subscription gave up on, with its story. */
export interface DeadLetter {
  readonly id: string;
  readonly subscription: string;
  readonly service: string;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly key: string | null;
  readonly heldId: string;
  readonly state: "open" | "redriving" | "resolved" | "discarded";
  readonly reason: DeadLetterReason;
  readonly failure: FailureRecord;
  readonly tries: Tries;
  readonly parkedAtMs: number;
  readonly lastFailedAtMs: number;
  /** How often it was redriven. */
  readonly redrives: number;
  /** The operation that redrove it last, so that none does it twice; and when it failed again under it. */
  readonly redrive?: {
    readonly operation: string;
    readonly failedAtMs?: number;
    /** Somebody has redriven it by itself since: what becomes of it now is nothing that the operation has done. */
    readonly over?: true;
  };
  readonly run: number;
  readonly host: string;
  readonly appVersion?: string;
  readonly traceparent?: string;
  /** Id of the event before an operator edited it. */
  readonly editedFrom?: string;
  /** Id of the edited copy that went on in place of this one, which was not handled itself. */
  readonly editedTo?: string;
  readonly closedAtMs?: number;
  readonly closedBy?: string;
  /** Until when a discard can be undone. */
  readonly undoUntilMs?: number;
  readonly note?: string;
  readonly record: RecordDocument;
}

/** What an operator asks of the owner of a partition. */
export type Intent = {
  readonly id: string;
  readonly subscription: string;
  readonly partition: number;
  readonly by: string;
  readonly atMs: number;
} & (
  | {
      readonly kind: "redrive";
      readonly deadLetter: string;
      readonly edited?: RecordDocument;
      readonly keepKey?: boolean;
    }
  | { readonly kind: "redrive-many"; readonly operation: string; readonly letters: readonly RedriveLetter[] }
  | { readonly kind: "discard"; readonly deadLetter: string; readonly undoMs?: number; readonly note?: string }
  | { readonly kind: "undo-discard"; readonly deadLetter: string }
  | { readonly kind: "pause-key"; readonly key: string; readonly reason: string; readonly untilMs?: number }
  | { readonly kind: "resume-key"; readonly key: string }
  | { readonly kind: "seek"; readonly position: number; readonly retireHeld: boolean }
);

/** A dead letter that an operation covers: it is redriven only if nobody has redriven it since it was covered. */
export interface RedriveLetter {
  readonly id: string;
  readonly redrives: number;
}

/** Something that was not done. */
export interface Refused {
  readonly id: string;
  readonly code: string;
  readonly message: string;
}

/** What became of an intent. */
export type Answer =
  | {
      readonly ok: true;
      /** Of several: those that were not done. */
      readonly refused?: readonly Refused[];
      /** An edit was checked against the schema of its handler. */
      readonly checked?: boolean;
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The stored definition of a subscription. */
export interface SubscriptionDocument {
  readonly service: string;
  readonly topic: string;
  readonly epoch: number;
  /** Event types it takes, with the version of each contract. */
  readonly types: Readonly<Record<string, number>>;
  readonly guarantee: string;
  readonly onFailure: string;
  readonly partitions: number;
  /** Names of the breakers and rates that its deliveries wait for; absent: none. */
  readonly guards?: readonly string[];
  /** From how many pending events on publishers are refused; absent: never. */
  readonly backlog?: { readonly eventsMax: number };
  readonly from: string;
  readonly createdAtMs: number;
}

/** The pause switch of a subscription. */
export interface ControlDocument {
  readonly paused?: {
    readonly reason: string;
    readonly sinceMs: number;
    readonly untilMs?: number;
    readonly by: string;
    /** What retention has removed before it was handled, when that is why. */
    readonly lost?: {
      readonly topic: string;
      readonly partition: number;
      readonly position: number;
      readonly lost: number;
    };
  };
  /** Who has ended the last pause. */
  readonly resumed?: { readonly by: string; readonly atMs: number };
}

/** Writes a record so that its exact bytes come back. */
export function recordToDocument(record: EventRecord): RecordDocument {
  const { id, source, type, timeMs, key, attributes, data } = record;
  return {
    id,
    source,
    type,
    timeMs,
    key,
    ...(attributes ? { attributes } : {}),
    ...(typeof data === "string" ? { data } : data ? { dataBase64: Buffer.from(data).toString("base64") } : {}),
  };
}

/** The record that `recordToDocument` wrote. */
export function recordFromDocument(
  document: RecordDocument,
  place: { topic: string; partition: number; position: number; appendedAtMs: number },
): StoredRecord {
  const { dataBase64, attributes, data, ...rest } = document;
  return {
    ...rest,
    attributes,
    data: dataBase64 === undefined ? data : new Uint8Array(Buffer.from(dataBase64, "base64")),
    ...place,
  };
}
