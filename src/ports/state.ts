/** A small document with a version that rises by one at each write. */
export interface Document {
  readonly key: string;
  /** 1 after the first write. */
  readonly version: number;
  /** Text, JSON by convention. */
  readonly value: string;
}

/** Which part of a collection to read, in key order (compared by UTF-16 code units in memory, by bytes on disk: use ASCII keys where order matters). */
export interface Scan {
  /** Only keys that begin with this. */
  readonly prefix?: string;
  /** Only keys after this one. */
  readonly after?: string;
  readonly limit: number;
}

/**
 * Small documents in named collections. Read here, written through `Engine.transact`. Subscriptions,
 * positions, held keys, dead letters, inbox and the user's own state all live in such collections, so that an
 * engine that has this port has them all. Collections of tidings begin with `$`.
 */
export interface State {
  /** The committed documents of these keys, in the order asked; undefined where there is none. */
  get(collection: string, keys: readonly string[]): Promise<readonly (Document | undefined)[]>;
  /** Committed documents in key order. */
  scan(collection: string, scan: Scan): Promise<readonly Document[]>;
  /** How many documents begin with the prefix. */
  count(collection: string, prefix?: string): Promise<number>;
  /** Calls the listener soon after something may have been written to the collection, by any process. A hint, as `Topics.watch`. */
  watch(collection: string, listener: () => void): () => void;
}
