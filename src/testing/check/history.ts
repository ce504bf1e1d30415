/**
 * What a harness saw, in words that no engine and no workload has part in. Lists stand in the order in which things
 * happened. What a harness cannot know it leaves out: then the invariants that need it are not checked, and the report says so.
 */
export interface History {
  /** What was published, one entry for each call and event: a repetition is an entry of its own. */
  readonly publishes: readonly Publish[];
  /** Every topic as read at the end. */
  readonly log: readonly LogEntry[];
  /** By partition, the first position that retention has left; 0 where nothing is said. */
  readonly firsts?: readonly { readonly topic: string; readonly partition: number; readonly first: number }[];
  /** What handlers have done through their units of work, as committed. */
  readonly effects?: readonly Effect[];
  /** Handlers as they ran, whatever became of it. */
  readonly runs?: readonly Run[];
  readonly subscriptions?: readonly SubscriptionEnd[];
  /** Events that wait at the end as held keys, dead letters and what is behind them included. */
  readonly held?: readonly HeldEvent[];
  /** Dead letters at the end, those that are closed included. */
  readonly deadLetters?: readonly DeadLetterEnd[];
  /** Ids of dead letters that were there at any time. */
  readonly deadLettersSeen?: readonly string[];
  /** Redrive operations, as far as they were seen. */
  readonly redrives?: readonly RedriveEnd[];
  readonly dependencies?: readonly DependencyEnd[];
  /** Failures that were written against events, those with the codes of guards at least. */
  readonly charges?: readonly Charge[];
  /** Events that must become dead letters, and after how many failures. */
  readonly poison?: readonly Poison[];
  /** Places as they were committed, in the order of the commits. */
  readonly positions?: readonly PositionSample[];
  /** Writes to what a lease guards, in the order in which they took effect. */
  readonly ownership?: readonly OwnedWrite[];
  /** Sums that must be what they are at every moment. */
  readonly ledgers?: readonly Ledger[];
  /** What was to happen not before an instant. */
  readonly timers?: readonly TimerFiring[];
  readonly resources?: readonly ResourcePeak[];
  /** Runs of the same seed. */
  readonly traces?: readonly TracePair[];
  /** True when the faults were over and everything had time to drain: then what is still pending is a violation. */
  readonly healed?: boolean;
}

/** One event handed to the system. */
export interface Publish {
  /** The identity of the event: the same text for the same (source, id), see `identityOf`. */
  readonly event: string;
  readonly topic: string;
  readonly key: string | null;
  /** `refused`: certainly not done, by this call. `unknown`: no answer, or one that says nothing; what a handler recorded is `unknown`, too. */
  readonly answer: "acknowledged" | "refused" | "unknown";
  /** The data, or a hash of them. */
  readonly payload?: string;
  /** Who published, and its number among what this producer publishes to the topic and key, in call order. */
  readonly producer?: string;
  readonly seq?: number;
  /** Events of one batch are there all or none. */
  readonly batch?: string;
  /** Where it was said to stand, when it was said. */
  readonly partition?: number;
  readonly position?: number;
}

/** One event as read. */
export interface LogEntry {
  readonly event: string;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly key: string | null;
  readonly type?: string;
  readonly payload?: string;
}

/** One thing that handling an event has done. Of one subscription, name and key they stand in the order of their commits. */
export interface Effect {
  readonly subscription: string;
  /** Which of the effects that the handling of each event has, such as `count` or `published`. */
  readonly name: string;
  /** The event that was handled. */
  readonly event: string;
  readonly key: string | null;
  /** The run of the subscription, which rises with each seek; 1. */
  readonly run?: number;
}

/** One call of a handler. */
export interface Run {
  readonly subscription: string;
  /** The process, and under which right it ran the handler: one that lost a partition and has it again counts as another. */
  readonly member: string;
  readonly event: string;
  readonly key: string | null;
  /** Instants or step numbers on one scale; no end when the process died. */
  readonly begin: number;
  readonly end?: number;
  /** What the handler was given. */
  readonly payload?: string;
}

/** A subscription at the end. */
export interface SubscriptionEnd {
  readonly subscription: string;
  readonly topic: string;
  /** Types that it has handlers for; all, when left out. */
  readonly types?: readonly string[];
  /** Names of the effects that every handled event must have, each once; none are looked for when left out. */
  readonly effects?: readonly string[];
  /** Unless true, an event may have its effects once at most. */
  readonly repeats?: boolean;
  /** Whether effects of a key come in the order of the log; true. */
  readonly ordered?: boolean;
  /** Whether an event may be settled without its effects: at most once. */
  readonly mayLose?: boolean;
  /** Whether it may have something pending after the healing: somebody paused it. */
  readonly paused?: boolean;
  readonly totals?: Totals;
  readonly partitions?: readonly PartitionEnd[];
  /** How many effects may be missing because two events have one id, and nobody can say whose an effect was; 0. */
  readonly unclear?: number;
  /** Events that an operator gave up and took back: they may come behind later ones of their keys, and beside them. */
  readonly restored?: readonly string[];
  /** Events that are settled without effects for a reason that is known: duplicates, expired, skipped by an operator. */
  readonly exempt?: readonly string[];
}

/** The counting equation: all but the last add up to the last. */
export interface Totals {
  readonly handled: number;
  readonly held: number;
  readonly discarded: number;
  readonly filtered: number;
  readonly expired: number;
  readonly skipped: number;
  readonly unknown: number;
  readonly pending: number;
  /** Last minus start position. */
  readonly total: number;
}

/** A subscription's place in a partition. */
export interface PartitionEnd {
  readonly partition: number;
  /** Its run, which rises with each seek; 1. Counts begin anew with it. */
  readonly run?: number;
  readonly start: number;
  /** Every position below is settled. */
  readonly low: number;
  /** Settled above `low`: from–to, both inside. */
  readonly finished: readonly (readonly [number, number])[];
}

/** A waiting event. */
export interface HeldEvent {
  readonly subscription: string;
  readonly event: string;
  readonly key: string | null;
  /** Whether it goes on by itself, or when an operator says so; `operator` when left out. */
  readonly waitsFor?: "time" | "operator";
}

/** A dead letter at the end. */
export interface DeadLetterEnd {
  readonly id: string;
  readonly subscription: string;
  readonly event: string;
  readonly key: string | null;
  readonly state: "open" | "redriving" | "resolved" | "discarded";
  readonly failures: number;
  /** Why it was given up; only `exhausted`, or nothing, is held against the number of tries. */
  readonly reason?: string;
  /** How often it was redriven. */
  readonly redrives?: number;
  readonly run?: number;
}

/** A redrive operation: what it says, and what was seen of it. */
export interface RedriveEnd {
  readonly id: string;
  readonly state: "running" | "paused" | "aborted" | "cancelled" | "done";
  /** Whether it is over: then its report must be exact. */
  readonly ended: boolean;
  /** As it reports them. */
  readonly counts: Readonly<Record<"covered" | "moved" | "succeeded" | "failedAgain" | "setAside" | "skipped", number>>;
  /** Dead letters that it has sent back, in the order of the commits. */
  readonly sent: readonly RedriveSending[];
  readonly batches: readonly RedriveBatch[];
  /** Most in a second. */
  readonly perSecond?: number;
}

/** A dead letter that was sent back by an operation. */
export interface RedriveSending {
  readonly deadLetter: string;
  /** What became of it next. */
  readonly outcome: "handled" | "failed" | "set aside" | undefined;
  /** Whether the operation was stopped by then, and had not asked for it before. */
  readonly isStopped: boolean;
}

/** A batch that an operation has asked for. */
export interface RedriveBatch {
  /** Left out where clocks cannot be compared. */
  readonly atMs?: number | undefined;
  readonly size: number;
  readonly most: number;
}

/** Something outside that handlers call, with its circuit breaker. */
export interface DependencyEnd {
  readonly name: string;
  /** In which state its breaker is. */
  readonly breaker: "closed" | "open" | "half-open";
  /** Whether a probe has succeeded and the breaker was not closed. */
  readonly isStuck: boolean;
  /** How many probes there ever were at once. */
  readonly probesMost?: number;
  /** In any window at most `perSecond` times its length, and `most`. Instants are exact to `slackMs`. */
  readonly rate?: { readonly perSecond: number; readonly most: number; readonly slackMs: number };
  /** When calls began, in their order. */
  readonly beganAtMs?: readonly number[];
}

/** A try that an event was charged with. */
export interface Charge {
  readonly subscription: string;
  readonly key: string | null;
  /** Of the error. */
  readonly code: string;
}

/** An event that always fails. */
export interface Poison {
  readonly subscription: string;
  readonly event: string;
  /** Exactly so many failures before it is given up. */
  readonly failures: number;
}

/** A place as committed. */
export interface PositionSample {
  readonly subscription: string;
  readonly partition: number;
  readonly run: number;
  readonly low: number;
}

/** A write that a lease guards, and that took effect. */
export interface OwnedWrite {
  /** The name of the lease. */
  readonly lease: string;
  readonly owner: string;
  /** The fencing token that the write was checked against; undefined when it was not checked. */
  readonly token: number | undefined;
}

/** A sum that must hold. */
export interface Ledger {
  readonly name: string;
  readonly sum: number;
  readonly expected: number;
}

/** Something that happened at its time, or before. */
export interface TimerFiring {
  readonly subscription: string;
  readonly event: string;
  readonly dueAtMs: number;
  readonly firedAtMs: number;
}

/** The most of something that was ever there, and the declared most. */
export interface ResourcePeak {
  readonly name: string;
  readonly peak: number;
  readonly cap: number;
}

/** Two runs of one seed. */
export interface TracePair {
  readonly seed: string;
  readonly first: string;
  readonly second: string;
}

/** One text for the identity of an event, unambiguous whatever its source holds. */
export function identityOf({ source, id }: { readonly source: string; readonly id: string }): string {
  return `${source} ${id}`;
}
