import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { CancelTimer, Clock } from "../../platform/clock.ts";
import type { Connection } from "./binding.ts";
import type { Logs } from "./logs.ts";

/** What wakes listeners works with. */
export interface WakeParts {
  readonly clock: Clock;
  readonly connection: Connection;
  readonly logs: Logs;
  readonly realPath: string;
  readonly pollMs: number;
  /** Looks whether another connection has committed; calls `others` when so. */
  readonly lookAround: () => void;
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
/** The folder's news come when another process writes, a little before it commits: look again for so long. */
const eagerMs = 20;
const eagerPollMs = 1;

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

  function call(listeners: Iterable<() => void> | undefined): void {
    for (const listener of [...(listeners ?? [])]) {
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

  function callTopics(ids: Iterable<number>): void {
    if (topics.size === 0) return;
    for (const name of new Set([...ids].map((log) => logs.placeOf(log)?.topic))) if (name !== undefined) call(topics.get(name));
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
        if (all) for (const listeners of [...topics.values()]) call(listeners);
        else callTopics(ids);
        for (const listeners of [...collections.values()]) call(listeners);
      });
    },
    close() {
      topics.clear();
      collections.clear();
      around.stop();
    },
  };
}

interface Lookout {
  start(): void;
  stop(): void;
  ownCommit(): void;
}

/** Looks around at intervals, and often for a moment after the folder's news. */
function lookoutOf({ clock, realPath, pollMs, lookAround }: WakeParts): Lookout {
  let watcher: FSWatcher | undefined;
  let cancel: CancelTimer | undefined;
  let running = false;
  let eagerUntil = 0;
  let ownCommitMs = Number.NEGATIVE_INFINITY;

  function arm(): void {
    cancel?.();
    const delay = clock.monotonic() < eagerUntil ? eagerPollMs : pollMs;
    cancel = clock.after(delay, look, true);
  }

  function look(): void {
    if (!running) return;
    lookAround();
    if (running) arm();
  }

  function news(_event: string, file: string | null): void {
    const now = clock.monotonic();
    // Our own commits make news, too, and each of them looks around by itself.
    if (!running || (file !== null && file !== `${basename(realPath)}-wal`) || now - ownCommitMs < 2) return;
    const eager = now < eagerUntil;
    eagerUntil = now + eagerMs;
    if (!eager) look();
  }

  return {
    start() {
      if (running) return;
      running = true;
      arm();
      try {
        watcher = watch(dirname(realPath), { persistent: false }, news);
        // Folders that cannot be watched any longer leave the poll.
        watcher.on("error", () => watcher?.close());
      } catch {
        watcher = undefined;
      }
    },
    stop() {
      running = false;
      cancel?.();
      watcher?.close();
      watcher = undefined;
    },
    ownCommit() {
      ownCommitMs = clock.monotonic();
    },
  };
}
