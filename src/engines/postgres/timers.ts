import { TidingsError } from "../../errors/tidings-error.ts";
import type { Timer, Timers } from "../../ports/timers.ts";
import { checksumOfTimer } from "./checksums.ts";
import type { Connections } from "./connections.ts";
import type { Settings } from "./options.ts";
import { fromColumn, toColumn } from "./text.ts";

interface TimerRow {
  readonly queue: string;
  readonly key: string;
  readonly due_ms: number;
  readonly version: number;
  readonly checksum: number;
  readonly payload: string;
}

/** Reads timers. A setting of one has a version of its own, so that ties are in the order they were set. */
export function timersOf({ read }: Connections, { schema }: Settings): Timers {
  const table = `"${schema}".timer`;
  const columns = `SELECT queue, key, due_ms, version, checksum, payload FROM ${table} WHERE queue = $1`;
  const timers = async (name: string, condition: string, values: readonly unknown[]): Promise<readonly Timer[]> =>
    (await read<TimerRow>({ name: `tidings_timers_${name}`, text: `${columns} ${condition}`, values })).map(timerOf);

  return {
    due: (queue, atMs, limit) =>
      timers("due", "AND due_ms <= $2 ORDER BY due_ms, version LIMIT $3", [toColumn(queue), Math.floor(atMs), Math.max(0, limit)]), // prettier-ignore
    async nextDueAt(queue) {
      const [row] = await read<{ due: number | null }>({
        name: "tidings_timers_next",
        text: `SELECT min(due_ms) AS due FROM ${table} WHERE queue = $1`,
        values: [toColumn(queue)],
      });
      return row?.due ?? undefined;
    },
    find: async (queue, key) => (await timers("find", "AND key = $2", [toColumn(queue), toColumn(key)]))[0],
    list: (queue, { after, limit }) =>
      after === undefined
        ? timers("list", "ORDER BY key LIMIT $2", [toColumn(queue), Math.max(0, limit)])
        : timers("after", "AND key > $2 ORDER BY key LIMIT $3", [toColumn(queue), toColumn(after), Math.max(0, limit)]),
  };
}

function timerOf(row: TimerRow): Timer {
  const [queue, key, payload] = [fromColumn(row.queue), fromColumn(row.key), fromColumn(row.payload)];
  if (checksumOfTimer(queue, key, row.due_ms, payload) === row.checksum)
    return { queue, key, dueAtMs: row.due_ms, payload, version: row.version };
  throw new TidingsError(
    "TIDINGS_RECORD_CORRUPT",
    `The timer "${key}" of queue "${queue}" does not match its checksum; restore it from a backup.`,
    { details: { queue, key } },
  );
}
