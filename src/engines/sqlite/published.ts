import type { Connection } from "./binding.ts";
import type { Draft } from "../sql/draft.ts";

/** An event whose id its caller chose, as it is remembered. */
export interface PublishedId {
  readonly hash: string;
  readonly position: number;
}

/** The ids that callers chose, in a side table: other events pay nothing for it. */
export interface PublishedIds {
  /** What is remembered of this identity, unless it is older than the window. */
  find(source: string, id: string, sinceMs: number): PublishedId | undefined;
  /** Inside a write transaction. */
  remember(draft: Draft, log: number, position: number, nowMs: number): void;
}

/** Reads and writes `tidings_published_id`. */
export function publishedIdsOf(connection: Connection): PublishedIds {
  const find = connection.prepare(
    "SELECT hash, position FROM tidings_published_id WHERE source = ? AND id = ? AND at_ms >= ?",
  );
  const put = connection.prepare(
    "INSERT INTO tidings_published_id (source, id, hash, log, position, at_ms) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) " +
      "DO UPDATE SET hash = excluded.hash, log = excluded.log, position = excluded.position, at_ms = excluded.at_ms",
  );
  return {
    find: (source, id, sinceMs) => find.get(source, id, sinceMs) as PublishedId | undefined,
    remember: ({ source, id, hash }, log, position, nowMs) =>
      void put.run(source, id, hash ?? "", log, position, nowMs),
  };
}
