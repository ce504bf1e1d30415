import { crc32 } from "node:zlib";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Timer } from "../../ports/timers.ts";
import type { TimerWrite } from "../../ports/transaction.ts";
import type { Connection, Statement } from "./binding.ts";

/** A row of `tidings_timer`; its id is the version: it rises with each set, for ever, also when a key comes back. */
export interface TimerRow {
  readonly id: number;
  readonly queue: string;
  readonly key: string;
  readonly due_ms: number;
  readonly checksum: number;
  readonly payload: string;
}

/** The timers of a file. */
export interface TimerTable {
  due(queue: string, atMs: number, limit: number): Timer[];
  nextDueAt(queue: string): number | undefined;
  find(queue: string, key: string): Timer | undefined;
  list(queue: string, after: string | undefined, limit: number): Timer[];
  /** Inside a write transaction. */
  write(write: TimerWrite): void;
}

/** Setting a timer removes its row and adds another, so that equal instants keep the order in which they were set. */
export function timersOf(connection: Connection): TimerTable {
  const columns = "SELECT id, queue, key, due_ms, checksum, payload FROM tidings_timer WHERE queue = ?";
  const due = connection.prepare(`${columns} AND due_ms <= ? ORDER BY due_ms, id LIMIT ?`);
  const next = connection.prepare("SELECT min(due_ms) AS due FROM tidings_timer WHERE queue = ?");
  const find = connection.prepare(`${columns} AND key = ?`);
  const listAll = connection.prepare(`${columns} ORDER BY key LIMIT ?`);
  const listAfter = connection.prepare(`${columns} AND key > ? ORDER BY key LIMIT ?`);
  const remove = connection.prepare("DELETE FROM tidings_timer WHERE queue = ? AND key = ?");
  const removeVersion = connection.prepare("DELETE FROM tidings_timer WHERE queue = ? AND key = ? AND id = ?");
  const insert = connection.prepare(
    "INSERT INTO tidings_timer (queue, key, due_ms, checksum, payload) VALUES (?, ?, ?, ?, ?)",
  );
  const timers = (statement: Statement, ...values: (string | number)[]): Timer[] =>
    (statement.all(...values) as TimerRow[]).map(timerOf);

  return {
    due: (queue, atMs, limit) => timers(due, queue, atMs, Math.max(0, limit)),
    nextDueAt: (queue) => (next.get(queue) as { due: number | null }).due ?? undefined,
    find: (queue, key) => timers(find, queue, key)[0],
    list: (queue, after, limit) =>
      after === undefined
        ? timers(listAll, queue, Math.max(0, limit))
        : timers(listAfter, queue, after, Math.max(0, limit)),
    write({ queue, key, dueAtMs, payload = "", version }) {
      if (dueAtMs === null && version !== undefined) {
        removeVersion.run(queue, key, version);
        return;
      }
      remove.run(queue, key);
      if (dueAtMs !== null) insert.run(queue, key, dueAtMs, timerChecksum(queue, key, dueAtMs, payload), payload);
    },
  };
}

/** Covers all but the id, which is given by the insert. */
export function timerChecksum(queue: string, key: string, dueAtMs: number, payload: string): number {
  return crc32(payload, crc32(`${queue}\n${key}\n${dueAtMs}\n`));
}

function timerOf({ id, queue, key, due_ms: dueAtMs, checksum, payload }: TimerRow): Timer {
  if (typeof payload === "string" && timerChecksum(queue, key, dueAtMs, payload) === checksum) {
    return { queue, key, dueAtMs, payload, version: id };
  }
  throw new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The timer "${key}" of queue "${queue}" does not match its checksum; restore it from a backup.`,
    { details: { queue, key } },
  );
}
