import type { Clock } from "../../platform/clock.ts";
import type { Connection } from "./binding.ts";
import type { Logs } from "./logs.ts";
import { type LookoutParts, lookoutOf } from "./lookout.ts";

/** What wakes listeners works with. */
export interface WakeParts extends LookoutParts {
  readonly connection: Connection;
  readonly logs: Logs;
}

/** Calls listeners when something may have changed. */
export interface Wake {
  watchTopic(topic: string, listener: () => void): () => void;
  watchCollection(collection: string, listener: () => void): () => void;
  /** This connection has committed. */
  own(logs: readonly number[], collections: readonly string[], lastChunk: number): void;
  /** Another connection has committed; may be called inside a transaction, listeners are called later. */
  others(): void;
  close(): void;
}

/** Above so many new chunks of others it is not worth asking which topics they belong to. */
const chunksLookedAt = 256;
/** Within the process listeners are called after each commit; for other processes a directory watch is the hint and a poll the backstop. */
export function wakeOf(parts: WakeParts): Wake {
  const { clock, connection, logs } = parts;
  const topics = new Map<string, Set<() => void>>();
  const collections = new Map<string, Set<() => void>>();
  const changed = connection.prepare("SELECT DISTINCT log FROM tidings_chunk WHERE id > ?");
  const newest = connection.prepare("SELECT max(id) AS id FROM tidings_chunk");
  const newestChunk = (): number => (newest.get() as { id: number | null }).id ?? 0;
  let seenChunk = 0;
  const around = lookoutOf(parts);

  function watching(kind: Map<string, Set<() => void>>, name: string, listener: () => void): () => void {
    // Two calls with one function are two listeners.
    const own = (): void => listener();
    if (topics.size + collections.size === 0) {
      if (!connection.inTransaction()) seenChunk = newestChunk();
      around.start();
    }
    const listeners = kind.get(name) ?? new Set();
    kind.set(name, listeners.add(own));
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && kind.get(name) === listeners) kind.delete(name);
      if (topics.size + collections.size === 0) around.stop();
    };
  }

  const call = (listeners: Iterable<() => void> | undefined): void => callAll(clock, listeners);
  function callTopics(ids: Iterable<number>): void {
    if (topics.size === 0) return;
    for (const name of new Set([...ids].map((log) => logs.placeOf(log)?.topic)))
      if (name !== undefined) call(topics.get(name));
  }

  return {
    watchTopic: (topic, listener) => watching(topics, topic, listener),
    watchCollection: (collection, listener) => watching(collections, collection, listener),
    own(changedLogs, changedCollections, lastChunk) {
      seenChunk = Math.max(seenChunk, lastChunk);
      around.ownCommit();
      callTopics(changedLogs);
      for (const name of changedCollections) call(collections.get(name));
    },
    others() {
      if (topics.size + collections.size === 0) return;
      const last = newestChunk();
      const all = last - seenChunk > chunksLookedAt;
      const ids = all || last <= seenChunk ? [] : (changed.all(seenChunk) as { log: number }[]).map(({ log }) => log);
      seenChunk = last;
      clock.soon(() => {
        if (all) for (const listeners of Array.from(topics.values())) call(listeners);
        else callTopics(ids);
        for (const listeners of Array.from(collections.values())) call(listeners);
      });
    },
    close() {
      topics.clear();
      collections.clear();
      around.stop();
    },
  };
}

/** Calls each; a listener that adds or removes others changes nothing in this round. */
function callAll(clock: Clock, listeners: Iterable<() => void> | undefined): void {
  for (const listener of Array.from(listeners ?? [])) {
    try {
      listener();
    } catch (error) {
      // A listener's fault is no reason to leave others asleep, nor to be silent about.
      clock.soon(() => {
        throw error;
      });
    }
  }
}
