import type { Connection } from "./binding.ts";

/** Where a log stands. */
export interface Head {
  /** Position of the next event. */
  readonly next: number;
  /** When its newest chunk was appended. */
  readonly appendedMs: number;
}

/** Heads of logs in memory, valid as long as no other connection has written. */
export interface Heads {
  /** Whether another connection has committed since the last look; then everything kept is forgotten. */
  changedElsewhere(): boolean;
  head(log: number): Head;
  /** Whether it is known that nothing stands at this position or behind it. */
  isEnd(log: number, position: number): boolean;
  /** Id of the next chunk: greater than every one before, also those that retention has removed. */
  nextChunk(): number;
  /** After a commit: what holds from now on. */
  keep(heads: Iterable<readonly [number, Head]>, nextChunk: number): void;
}

/** Keeps heads; `PRAGMA data_version` tells whether another connection, of any thread or process, has committed. */
export function headsOf(connection: Connection): Heads {
  const dataVersion = connection.prepare("PRAGMA data_version");
  const newest = connection.prepare(
    "SELECT log.first AS first, chunk.last AS last, chunk.appended_ms AS appendedMs FROM tidings_log AS log " +
      "LEFT JOIN tidings_chunk AS chunk ON chunk.log = log.id AND chunk.last = " +
      "(SELECT max(last) FROM tidings_chunk WHERE log = log.id) WHERE log.id = ?",
  );
  const lastChunk = connection.prepare(
    "SELECT max(coalesce((SELECT max(id) FROM tidings_chunk), 0), " +
      "coalesce((SELECT value FROM tidings_counter WHERE name = 'chunk'), 0)) AS last",
  );
  const kept = new Map<number, Head>();
  let next: number | undefined;
  let seen = readVersion();

  function readVersion(): number {
    return (dataVersion.get() as { data_version: number }).data_version;
  }

  return {
    changedElsewhere() {
      const version = readVersion();
      if (version === seen) return false;
      seen = version;
      kept.clear();
      next = undefined;
      return true;
    },
    head(log) {
      const head = kept.get(log);
      if (head) return head;
      const row = newest.get(log) as { first: number; last: number | null; appendedMs: number | null };
      const found = { next: Math.max(row.first, (row.last ?? -1) + 1), appendedMs: row.appendedMs ?? 0 };
      kept.set(log, found);
      return found;
    },
    isEnd: (log, position) => kept.get(log)?.next === position,
    nextChunk: () => (next ??= (lastChunk.get() as { last: number }).last + 1),
    keep(heads, nextChunk) {
      for (const [log, { next: position, appendedMs }] of heads) kept.set(log, { next: position, appendedMs });
      next = nextChunk;
    },
  };
}
