/**
 * What an engine can do, as data: core reads it (and refuses at start what is missing), the
 * conformance suites skip by it, and the docs print it. Frozen; never guessed from behaviour.
 */
export interface Capabilities {
  /** What an acknowledgement of a publish means when the power goes. */
  readonly durability: "disk" | "replicated" | "confirmed" | "none";
  /** Whether the data outlive the process. */
  readonly persistent: boolean;
  /** Whether several processes may use the same data at once. */
  readonly sharedByProcesses: boolean;
  /** Whether publishes, state, timers and positions commit in one transaction (`Engine.transact`). */
  readonly transactions: boolean;
  /** Whether a publish of several events is all or nothing also when the engine or the process fails in the midst of it. */
  readonly atomicPublish: boolean;
  /** Whether a unit of work may run the user's own SQL (`Transaction.sql`). */
  readonly userSql: boolean;
  /** Whether an event id given by the caller is checked for duplicates at publish. */
  readonly publishDeduplication: boolean;
  /** Whether reading may begin at a point in time. */
  readonly seekByTime: boolean;
  readonly retentionByAge: boolean;
  readonly retentionBySize: boolean;
  /** Whether a topic can be declared with a bound that the engine keeps by itself (`TopicSpec.bytesKept`). */
  readonly boundedTopics: boolean;
  /** By whose clock `appendedAtMs` goes: one that all publishers share, or the one of each publisher. */
  readonly appendTimes: "engine" | "publisher";
  /** Whether the engine verifies a checksum of every record it reads. */
  readonly checksums: boolean;
  /** Whether the engine assigns partitions to members itself; otherwise leases do. */
  readonly nativeGroups: boolean;
  /** Whether the engine's own tools can be shown how far subscriptions are (`Topics.showPositions`). */
  readonly showsPositions: boolean;
  /** Largest record in bytes (see `recordBytes`). */
  readonly eventBytesMax: number;
  /** How many topics an engine is tested with. */
  readonly topicsMax: number;
  readonly partitionsMax: number;
}
