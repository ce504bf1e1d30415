// Reads a topic, then computes the checksums of the same rows once more by themselves.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { type ChunkRow, chunkChecksum } from "../../src/engines/sqlite/chunk.ts";
import { answer, taskOf } from "../lib/child.ts";
import { orders, openApp } from "../peers/tidings.ts";

export interface ChecksumsTask {
  readonly folder: string;
}

export interface ChecksumsResult {
  readonly share: number;
  readonly readMicrosPerEvent: number;
  readonly checksumMicrosPerEvent: number;
}

const { folder } = taskOf<ChecksumsTask>();
const page = { events: 512, bytes: 1024 * 1024 };

async function readAll(): Promise<{ events: number; ms: number }> {
  const app = await openApp(folder, []).start();
  let events = 0;
  const began = performance.now();
  for (const [partition, { next }] of (await app.engine.topics.bounds(orders.name)).entries()) {
    for (let position = 0; position < next;) {
      const { records, next: after } = await app.engine.topics.read(orders.name, partition, position, page);
      events += records.length;
      position = after;
    }
  }
  const ms = performance.now() - began;
  await app.stop();
  return { events, ms };
}

/** The rows are fetched in pages; only the checksums are timed. */
function checkAll(): number {
  const db = new DatabaseSync(join(folder, "bench.db"), { readOnly: true });
  const read = db.prepare("SELECT * FROM tidings_chunk WHERE id > ? ORDER BY id LIMIT 256");
  let ms = 0;
  for (let after = 0; ;) {
    const rows = read.all(after) as unknown as ChunkRow[];
    if (rows.length === 0) break;
    const began = performance.now();
    for (const row of rows) if (chunkChecksum(row) !== row.checksum) throw new Error(`Chunk ${row.id} is damaged.`);
    ms += performance.now() - began;
    after = rows.at(-1)?.id ?? after;
  }
  db.close();
  return ms;
}

// The first round warms the code up.
await readAll();
checkAll();
const { events, ms } = await readAll();
const checkMs = checkAll();

answer({
  share: checkMs / ms,
  readMicrosPerEvent: (ms * 1000) / events,
  checksumMicrosPerEvent: (checkMs * 1000) / events,
} satisfies ChecksumsResult);
