import type { EventRecord, StoredRecord } from "../event/record.ts";

/** What a topic is declared with. */
export interface TopicSpec {
  /** 1 to 249 characters of A–Z a–z 0–9 . _ - (Kafka's rule, so that names fit every engine). */
  readonly name: string;
  /** Number of partitions; fixed for the life of the topic. */
  readonly partitions: number;
  /**
   * With it the engine removes the oldest events of a partition by itself, and always keeps the newest ones of so many bytes (as it
   * stores them; up to 1 KiB of an event beside `recordBytes`), with no regard to subscriptions. Absent: as the engine is set up.
   * Only for engines with `boundedTopics`; the others reject with TIDINGS_UNSUPPORTED. A topic that is there keeps what it was
   * declared with.
   */
  readonly bytesKept?: number;
}

/** One event to append. */
export interface TopicEntry {
  readonly topic: string;
  /** Chosen by the caller from the key, see `partitionOf`. */
  readonly partition: number;
  readonly record: EventRecord;
  /** True when the caller chose the id: then an event of this (source, id) published within the window is not appended again. */
  readonly checkId?: boolean;
}

/** What a caller of `publish` wants of the answer. */
export interface AppendOptions {
  /**
   * False when the caller has no use for positions, as most have none: an engine that learns them only by looking for them leaves
   * that out, and answers -1 for them. True unless given.
   */
  readonly positions?: boolean;
}

/** Where a published event lies. */
export interface Appended {
  /** -1 when it was published without the wish for it, at this time or, of a duplicate, at the first, and the engine does not know it. */
  readonly position: number;
  /** True when an event of this id was there already; `position` is that event's. */
  readonly duplicate: boolean;
}

/** The readable range of a partition: `first <= position < next`. Equal when it is empty. */
export interface Bounds {
  /** Position of the first event that retention has left. */
  readonly first: number;
  /** Position after the last event: where the next one will stand. */
  readonly next: number;
}

/** How much one read may return; at least one event is returned when there is one, however large. */
export interface ReadLimits {
  readonly events: number;
  readonly bytes: number;
}

/** A page of a partition in position order. */
export interface ReadPage {
  readonly records: readonly StoredRecord[];
  /** Where to go on reading: behind the last record, behind what is gone, and at the end the asked position itself. */
  readonly next: number;
  /** How many positions from the asked one on are gone by retention. */
  readonly lost: number;
  /**
   * True when nothing stood behind the page of what this process knows to be stored: listeners of `watch` hear of what comes
   * after. False says nothing.
   */
  readonly end: boolean;
}

/** Hears that a topic may have grown: in this partition, or in any. */
export type TopicListener = (partition?: number) => void;

/** What retention may remove. Events at or after `floor` stay; leave it out to remove them all the same. */
export interface RetentionRule {
  /** Remove events appended before this instant. */
  readonly appendedBeforeMs?: number;
  /** Remove the oldest events of a partition until it holds at most so many bytes. */
  readonly partitionBytesMax?: number;
  /** By partition: the first position that a subscription still needs. Absent: nothing is needed. */
  readonly floor?: readonly number[];
}

/** How far a subscription is in one partition. */
export interface ShownPosition {
  readonly partition: number;
  /** Everything before it is finished. */
  readonly position: number;
}

/** Partitioned, replayable logs. Every engine has this port. */
export interface Topics {
  /**
   * Creates what does not exist; declaring the same again does nothing. Rejects with
   * TIDINGS_PARTITIONS_CHANGED when one exists with another number of partitions, and then creates none.
   */
  declare(specs: readonly TopicSpec[]): Promise<void>;
  /** All topics in name order. */
  list(): Promise<readonly TopicSpec[]>;
  /** The topic of this name, or undefined. */
  find(name: string): Promise<TopicSpec | undefined>;

  /**
   * Appends all entries or none, in the order given, and resolves when they have the durability that the
   * capabilities state; never before. Calls commit in call order per partition, so that two
   * publishes to one key without waiting in between stand in that order. The result has one element
   * per entry. The same (source, id) with another payload rejects with TIDINGS_ID_CONFLICT.
   * After TIDINGS_OUTCOME_UNKNOWN the events may or may not be there: repeating is safe for entries that had `checkId`
   * from the first.
   * Publishes that were accepted before `close` are settled before close resolves.
   */
  publish(entries: readonly TopicEntry[], options?: AppendOptions): Promise<readonly Appended[]>;

  /**
   * Appends inside a transaction that the user has begun on a handle of the engine's client: the events are there when it
   * commits, and only then. Otherwise as `publish`; rejects with TIDINGS_TRANSACTION_MISUSE when no transaction is open.
   * Engines whose transactions nobody can join do not have it.
   */
  publishIn?(handle: unknown, entries: readonly TopicEntry[]): Promise<readonly Appended[]>;

  /**
   * Reads from `position` on, in position order. Never returns an event whose publish could still be
   * undone, and never skips one that commits later: what lies before a returned event is final.
   * A record that fails its checksum rejects with TIDINGS_RECORD_CORRUPT naming topic, partition and position.
   */
  read(topic: string, partition: number, position: number, limits: ReadLimits): Promise<ReadPage>;

  /** The bounds of every partition, by partition number. */
  bounds(topic: string): Promise<readonly Bounds[]>;

  /** By partition: the first position appended at or after the instant (`next` when there is none). */
  positionsAt(topic: string, timeMs: number): Promise<readonly number[]>;

  /** Removes whole batches from the front as the rule allows; resolves with the number of events removed. Work is done in small steps. */
  retain(topic: string, rule: RetentionRule): Promise<number>;

  /**
   * Calls the listener soon after something may have been appended to the topic, by any process; with the partition where
   * the engine knows it, and without one when it may be any. A hint: it may come without an event and may be lost; whoever
   * listens also looks by itself now and then.
   */
  watch(topic: string, listener: TopicListener): () => void;

  /**
   * Notes how far a subscription is in partitions of a topic, where the engine's own tools look for it, such as the lag of
   * consumers. A view for people: nothing of tidings reads it back, and it may be late. The last call holds, also where it says less
   * than the one before; partitions that are not named stay as they are. Gives up soon where it cannot be done now, and tries
   * nothing later: who calls it says it again. It need not outlive a crash, and the engine may forget what was not said for
   * hours. Rejects with TIDINGS_ACCESS_DENIED where that is not allowed. Only engines with `showsPositions` have it.
   */
  showPositions?(subscription: string, topic: string, positions: readonly ShownPosition[]): Promise<void>;
}
