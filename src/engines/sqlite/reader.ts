import type { Bounds, ReadLimits, ReadPage } from "../../ports/topics.ts";
import type { Connection } from "./binding.ts";
import { corruptRecord, type LogPlace, type OpenChunk } from "../sql/chunk.ts";
import { holding, type Page, pageOf, take } from "../sql/page.ts";
import { checkPosition } from "../sql/topics.ts";
import { type ChunkRow, openChunk } from "./chunk.ts";
import type { Heads } from "./heads.ts";
import type { Logs } from "./logs.ts";

/** Reads the events of a file. */
export interface Reader {
  read(topic: string, partition: number, position: number, limits: ReadLimits): ReadPage;
  bounds(topic: string): Bounds[];
  positionsAt(topic: string, timeMs: number): number[];
}

/** Chunks kept open because readers often stop in the middle of one. */
const openChunksMax = 8;

/** Every chunk is verified when it is opened. */
export function readerOf(connection: Connection, logs: Logs, heads: Heads): Reader {
  const columns = "SELECT id, log, last, count, appended_ms, checksum, header, body FROM tidings_chunk";
  const from = connection.prepare(`${columns} WHERE log = ? AND last >= ? ORDER BY last`);
  const firstOf = connection.prepare("SELECT first FROM tidings_log WHERE id = ?");
  const newest = connection.prepare("SELECT max(last) AS last FROM tidings_chunk WHERE log = ?");
  const timeAt = connection.prepare(
    "SELECT appended_ms, last, count FROM tidings_chunk WHERE log = ? AND last >= ? ORDER BY last LIMIT 1",
  );
  /** By log, the chunk that the last read stopped in. */
  const open = new Map<number, OpenChunk>();

  const firstPosition = (log: number): number => (firstOf.get(log) as { first: number }).first;
  function bounds(log: number): Bounds {
    const first = firstPosition(log);
    return { first, next: Math.max(first, ((newest.get(log) as { last: number | null }).last ?? -1) + 1) };
  }

  function readChunks(page: Page, log: number, place: LogPlace): void {
    for (const row of from.iterate(log, page.next) as IterableIterator<ChunkRow>) {
      let chunk = chunkAt(row, page.next, place);
      if (!chunk) {
        if (page.records.length > 0) return; // What was read is good; the next read meets what is wrong here.
        // Retention may have come in between; this look is of the same moment as the row.
        page.next = Math.max(page.next, firstPosition(log));
        chunk = chunkAt(row, page.next, place);
        if (!chunk) throw corruptRecord(place, page.next);
      }
      take(page, chunk);
      if (!page.full) continue;
      if (page.next <= chunk.last) keepOpen(open, log, chunk);
      return;
    }
  }

  /** The first position of which the chunk came at or after the instant: chunks of a log never go back in time. */
  function positionAt(log: number, timeMs: number): number {
    const { first, next } = bounds(log);
    let low = first;
    let high = next;
    while (low < high) {
      const row = timeAt.get(log, (low + high) >>> 1) as Pick<ChunkRow, "appended_ms" | "last" | "count"> | undefined;
      if (!row) return high;
      if (row.appended_ms < timeMs) low = row.last + 1;
      else high = Math.min(high, row.last - row.count + 1);
    }
    return Math.max(first, low);
  }

  return {
    read(topic, partition, position, limits) {
      const log = logs.log(topic, partition);
      checkPosition(position);
      const page = pageOf(limits, Math.max(position, firstPosition(log)));
      const kept = open.get(log);
      if (kept && kept.first <= page.next && page.next <= kept.last) take(page, kept);
      if (!page.full && !heads.isEnd(log, page.next)) readChunks(page, log, { topic, partition });
      const { records, next } = page;
      const end = !page.full || heads.isEnd(log, next);
      return { records, next, lost: (records[0]?.position ?? next) - position, end };
    },
    bounds: (topic) => logs.topic(topic).logs.map(bounds),
    positionsAt: (topic, timeMs) => logs.topic(topic).logs.map((log) => positionAt(log, timeMs)),
  };
}

function keepOpen(open: Map<number, OpenChunk>, log: number, chunk: OpenChunk): void {
  open.delete(log);
  open.set(log, chunk);
  if (open.size > openChunksMax) open.delete(open.keys().next().value as number);
}

/** The chunk in which the position stands; undefined when it is damaged or another one. */
function chunkAt(row: ChunkRow, position: number, place: LogPlace): OpenChunk | undefined {
  return holding(openChunk(row, place), position);
}
