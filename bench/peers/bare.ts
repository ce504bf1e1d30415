// A log on SQLite as a good engineer writes it in an afternoon: group commit, a row per event, a consumer that reads the
// rows back in pages and commits its position together with what is published next. No validation, no retries, no keys in
// order under failure, no second process: what tidings may cost is measured against this.
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

import { systemPlatform } from "../../src/platform/system.ts";
import type { Order } from "../lib/payload.ts";
import type { Peer, PeerOptions } from "./peer.ts";

const pageMax = 512;
const rowsPerInsert = 16;

interface Row {
  readonly position: number;
  readonly data: string;
}

interface Waiting {
  readonly values: readonly [id: string, type: string, key: string, time: number, data: string];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export async function start({ folder, onOrder }: PeerOptions): Promise<Peer> {
  const db = open(join(folder, "bare.db"));
  const { ids } = systemPlatform();
  const single = db.prepare(insertOf(1));
  const many = db.prepare(insertOf(rowsPerInsert));
  const read = db.prepare("SELECT position, data FROM event WHERE position > ? ORDER BY position LIMIT ?");
  const move = db.prepare("UPDATE consumer SET position = ? WHERE name = 'handler'");
  let waiting: Waiting[] = [];
  let position = 0;
  let committed = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(turn);
  }

  /** One transaction for everything that waits and for the position, then a page for the handler. */
  function turn(): void {
    scheduled = false;
    const group = waiting;
    waiting = [];
    try {
      db.exec("BEGIN IMMEDIATE");
      insertAll(group, single, many);
      if (position > committed) move.run(position);
      db.exec("COMMIT");
    } catch (error) {
      for (const { reject } of group) reject(error);
      throw error;
    }
    committed = position;
    for (const { resolve } of group) resolve();
    consume();
    if (position > committed) schedule();
  }

  function consume(): void {
    const rows = read.all(position, pageMax) as unknown as Row[];
    for (const row of rows) {
      onOrder(JSON.parse(row.data) as Order);
      position = row.position;
    }
  }

  return {
    publish: (order) =>
      new Promise<void>((resolve, reject) => {
        const values = [ids.next(), "bench.order.placed", order.orderId, Date.now(), JSON.stringify(order)] as const;
        waiting.push({ values, resolve, reject });
        schedule();
      }),
    async close() {
      while (position > committed || waiting.length > 0 || scheduled)
        await new Promise((resolve) => setImmediate(resolve));
      db.close();
    },
  };
}

function open(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384");
  db.exec(`
    CREATE TABLE event (
      position INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, key TEXT NOT NULL, time INTEGER NOT NULL, data TEXT NOT NULL
    );
    CREATE TABLE consumer (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO consumer VALUES ('handler', 0);
  `);
  return db;
}

function insertOf(rows: number): string {
  return `INSERT INTO event (id, type, key, time, data) VALUES ${Array(rows).fill("(?, ?, ?, ?, ?)").join(", ")}`;
}

/** Several rows to a statement while there are so many. */
function insertAll(group: readonly Waiting[], single: StatementSync, many: StatementSync): void {
  let at = 0;
  for (; at + rowsPerInsert <= group.length; at += rowsPerInsert) {
    many.run(...group.slice(at, at + rowsPerInsert).flatMap(({ values }) => values));
  }
  for (; at < group.length; at++) single.run(...(group[at] as Waiting).values);
}
