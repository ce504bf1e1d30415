import type { RetentionRule } from "../../ports/topics.ts";
import type { Connection } from "./binding.ts";

/** How much one step may remove: a few milliseconds under the write lock. */
const stepChunks = 64;
const stepBytes = 1024 * 1024;
const stepIds = 500;

interface OldChunk {
  readonly id: number;
  readonly last: number;
  readonly count: number;
  readonly appended_ms: number;
  readonly bytes: number;
}

/** Removes old events step by step; yields the number removed after each, so that others have their turn. */
export function* retain(connection: Connection, logs: readonly number[], rule: RetentionRule): Generator<number, void> {
  const oldest = connection.prepare(
    "SELECT id, last, count, appended_ms, octet_length(header) + octet_length(body) AS bytes FROM tidings_chunk " +
      `WHERE log = ? ORDER BY last LIMIT ${stepChunks}`,
  );
  const remove = connection.prepare("DELETE FROM tidings_chunk WHERE id = ?");
  const setFirst = connection.prepare("UPDATE tidings_log SET first = ? WHERE id = ?");
  // Ids of chunks must go on rising when the newest one is removed.
  const keepId = connection.prepare(
    "INSERT INTO tidings_counter (name, value) SELECT 'chunk', max(id) FROM tidings_chunk WHERE true " +
      "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
  );

  for (const [partition, log] of logs.entries()) {
    const floor = rule.floor?.[partition] ?? Number.POSITIVE_INFINITY;
    let bytes = 0;
    for (const size of logBytes(connection, log, rule)) {
      bytes += size;
      yield 0;
    }
    for (;;) {
      let removed = 0;
      inTransaction(connection, () => {
        const doomed = removable(oldest.all(log) as OldChunk[], rule, floor, bytes);
        if (doomed.length === 0) return;
        keepId.run();
        for (const chunk of doomed) {
          remove.run(chunk.id);
          removed += chunk.count;
          bytes -= chunk.bytes;
        }
        setFirst.run((doomed.at(-1) as OldChunk).last + 1, log);
      });
      if (removed === 0) break;
      yield removed;
    }
  }
}

/** Forgets ids of callers from before the instant; yields the number forgotten after each step. */
export function* forgetIds(connection: Connection, beforeMs: number): Generator<number, void> {
  const forget = connection.prepare(
    "DELETE FROM tidings_published_id WHERE (source, id) IN " +
      `(SELECT source, id FROM tidings_published_id WHERE at_ms < ? ORDER BY at_ms LIMIT ${stepIds}) RETURNING 1`,
  );
  for (;;) {
    let forgotten = 0;
    inTransaction(connection, () => {
      forgotten = forget.all(beforeMs).length;
    });
    if (forgotten === 0) return;
    yield forgotten;
  }
}

/** Sizes of some chunks at a time; nothing when the rule does not ask. Sizes stand in the rows, bodies are not read. */
function* logBytes(connection: Connection, log: number, rule: RetentionRule): Generator<number, void> {
  if (rule.partitionBytesMax === undefined) return;
  const sizes = connection.prepare(
    "SELECT max(last) AS last, sum(bytes) AS bytes FROM (SELECT last, octet_length(header) + octet_length(body) AS bytes " +
      "FROM tidings_chunk WHERE log = ? AND last > ? ORDER BY last LIMIT 500)",
  );
  for (let after = -1; ;) {
    const { last, bytes } = sizes.get(log, after) as { last: number | null; bytes: number | null };
    if (last === null) return;
    after = last;
    yield bytes ?? 0;
  }
}

function removable(chunks: readonly OldChunk[], rule: RetentionRule, floor: number, bytes: number): OldChunk[] {
  const doomed: OldChunk[] = [];
  let left = bytes;
  for (const chunk of chunks) {
    const old = rule.appendedBeforeMs !== undefined && chunk.appended_ms < rule.appendedBeforeMs;
    const over = rule.partitionBytesMax !== undefined && left > rule.partitionBytesMax;
    if (chunk.last >= floor || (!old && !over)) break;
    doomed.push(chunk);
    left -= chunk.bytes;
    if (bytes - left >= stepBytes) break;
  }
  return doomed;
}

function inTransaction(connection: Connection, fn: () => void): void {
  connection.exec("BEGIN IMMEDIATE");
  try {
    fn();
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.inTransaction()) connection.exec("ROLLBACK");
    throw error;
  }
}
