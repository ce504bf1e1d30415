/** Something to be done at an instant. Set and cancelled through `Engine.transact`. */
export interface Timer {
  /** Who handles it. */
  readonly queue: string;
  /** Unique in its queue; setting the same key again moves the timer. */
  readonly key: string;
  /** Milliseconds since 1970 UTC. */
  readonly dueAtMs: number;
  /** Text, JSON by convention. */
  readonly payload: string;
  /** Rises with each set, so that whoever fires a timer can cancel exactly the one it saw. */
  readonly version: number;
}

/** Durable timers. An engine keeps them; core looks for due ones and fires each in a transaction that cancels it. */
export interface Timers {
  /** Timers of the queue due at or before the instant, earliest first, ties in the order they were set. Never one that is not due. */
  due(queue: string, atMs: number, limit: number): Promise<readonly Timer[]>;
  /** When the earliest timer of the queue is due; undefined when there is none. */
  nextDueAt(queue: string): Promise<number | undefined>;
  /** The timer of this key, or undefined. */
  find(queue: string, key: string): Promise<Timer | undefined>;
  /** All timers of the queue, in key order. */
  list(queue: string, scan: { readonly after?: string; readonly limit: number }): Promise<readonly Timer[]>;
}
