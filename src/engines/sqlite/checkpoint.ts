import type { Connection } from "./binding.ts";
import { pragmaNumber } from "./pragma.ts";

/** How a checkpoint went. */
export interface Checkpoint {
  /** Size of what the write-ahead log holds. */
  readonly bytes: number;
  /** How much of it is not yet in the database file. */
  readonly left: number;
  /** Whether somebody stood in the way. */
  readonly busy: boolean;
}

/** Copies the write-ahead log into the database file. PASSIVE gets in nobody's way; the others make the log begin anew. */
export function checkpoint(connection: Connection, mode: "PASSIVE" | "RESTART" | "TRUNCATE"): Checkpoint {
  const row = connection.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as {
    busy: number;
    log: number;
    checkpointed: number;
  };
  const frameBytes = pragmaNumber(connection, "PRAGMA page_size") + 24;
  const busy = row.busy !== 0;
  const bytes = mode !== "PASSIVE" && !busy ? 0 : Math.max(0, row.log) * frameBytes;
  return { bytes, left: Math.max(0, row.log - row.checkpointed) * frameBytes, busy };
}
