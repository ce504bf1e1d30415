import type { Clock } from "../../platform/clock.ts";
import type { Bounds, ReadLimits, ReadPage } from "../../ports/topics.ts";
import { corruptRecord, type LogPlace, openChunkText, type OpenChunk } from "../sql/chunk.ts";
import { holding, type Page, pageOf, take } from "../sql/page.ts";
import type { Tail } from "../sql/tail.ts";
import { checkPosition } from "../sql/topics.ts";
import { type Catalog, logOf } from "./catalog.ts";
import { contentOfChunk, placeOfChunk, xor } from "./checksums.ts";
import type { Connections } from "./connections.ts";
import { gathered } from "./gather.ts";
import type { Settings } from "./options.ts";

/** A row of `chunk`. */
export interface ChunkRow {
  readonly log: number;
  readonly last: number;
  readonly count: number;
  readonly appended_ms: number;
  readonly checksum: number;
  readonly header: string;
  readonly body: string;
}

/** Reads the events of a store. */
export interface Reader {
  read(topic: string, partition: number, position: number, limits: ReadLimits): Promise<ReadPage>;
  bounds(topic: string): Promise<readonly Bounds[]>;
  positionsAt(topic: string, timeMs: number): Promise<readonly number[]>;
}

/** Most chunks of one look at a log, and those of the first. */
const chunksMax = 256;
const chunksFirst = 4;

interface Look {
  readonly log: number;
  readonly position: number;
  readonly chunks: number;
  /** Chunks that begin behind so many bytes come without their texts. */
  readonly bytes: number;
}
/** A row of a look; one that is too far behind has no texts. */
type SeenRow = ChunkRow | (Omit<ChunkRow, "header" | "body"> & { readonly header: null; readonly body: null });
interface Seen {
  /** Where the log began at that moment. */
  readonly first: number;
  readonly rows: readonly SeenRow[];
}

/** What a reader works with. */
interface ReaderParts {
  readonly catalog: Catalog;
  readonly settings: Settings;
  readonly tail: Tail;
  /** Whether changes by others are looked for. */
  readonly watched: () => boolean;
}

/** Looks at all logs that are asked for in one turn with one statement. */
export function readerOf(connections: Connections, parts: ReaderParts, clock: Clock): Reader {
  const { catalog, settings } = parts;
  const { read } = connections;
  const look = gathered<Look, Seen>(clock, (looks) => lookAt(connections, settings.schema, looks));
  /** By log, about how many events its last chunks held. */
  const chunkEvents = new Map<number, number>();

  async function fill(page: EndingPage, log: number, place: LogPlace): Promise<void> {
    let chunks = chunksWanted(page.limits, chunkEvents.get(log));
    for (;;) {
      await afterWrites(clock);
      connections.check();
      takeKept(page, log, parts);
      if (page.full || page.end) return;
      const bytes = Math.max(1, page.limits.bytes - page.bytes);
      const { first, rows } = await look({ log, position: page.next, chunks, bytes });
      // Retention may have come in between; this is of the same moment as the rows. The next read says what is lost.
      if (first > page.next && page.records.length > 0) return;
      page.next = Math.max(page.next, first);
      if (rows.length > 0) chunkEvents.set(log, rows.reduce((sum, { count }) => sum + count, 0) / rows.length);
      if (takeRows(page, rows, chunks, place)) return;
      chunks = Math.min(chunksMax, chunks * 4);
    }
  }

  return {
    async read(topic, partition, position, limits) {
      const log = logOf(await catalog.topic(topic), topic, partition);
      checkPosition(position);
      const page: EndingPage = { ...pageOf(limits, position), end: false };
      await fill(page, log, { topic, partition });
      const { records, next, end } = page;
      return { records, next, lost: (records[0]?.position ?? next) - position, end };
    },
    async bounds(topic) {
      const { id } = await catalog.topic(topic);
      const rows = await read<Bounds>({ name: "tidings_bounds", text: boundsText(settings.schema), values: [id] });
      return rows.map(({ first, next }) => ({ first, next: Math.max(first, next) }));
    },
    async positionsAt(topic, timeMs) {
      const { id } = await catalog.topic(topic);
      const rows = await read<{ position: number }>({
        name: "tidings_positions_at",
        text: positionsText(settings.schema),
        values: [id, Math.ceil(timeMs)],
      });
      return rows.map(({ position }) => position);
    },
  };
}

/** What waits to be written goes first: a page is worked on while the server does that. */
const afterWrites = (clock: Clock): Promise<void> => new Promise((resolve) => clock.soon(() => clock.soon(resolve)));

/**
 * What this process has appended itself need not be read. Who follows the log hears of what others append behind it; who does
 * not, or has found nothing here, asks the server.
 */
function takeKept(page: EndingPage, log: number, { tail, watched }: ReaderParts): void {
  for (let kept = tail.at(log, page.next); kept && !page.full; kept = tail.at(log, page.next)) take(page, kept);
  page.end = page.records.length > 0 && watched() && tail.endsAt(log, page.next);
}

/** The newest chunk of a log is in its current segment, or the row it begins with; a connection that cannot see it yet is told where that is. */
const boundsText = (schema: string): string => `
  SELECT l.first, coalesce((SELECT c.last + 1 FROM "${schema}".chunk c
    WHERE c.segment = l.segment AND c.log = l.id ORDER BY c.last DESC LIMIT 1), s.first) AS next
  FROM "${schema}".log l JOIN "${schema}".segment_log s ON s.log = l.id AND s.segment = l.segment
  WHERE l.topic = $1 ORDER BY l.partition`;

/** Chunks of a log never go back in time, so that the first one that came later is where the instant is. */
const positionsText = (schema: string): string => `
  SELECT greatest(l.first, coalesce(
    (SELECT c.last - c.count + 1 FROM "${schema}".segment_log g
      JOIN LATERAL (SELECT n.last, n.count, n.appended_ms FROM "${schema}".chunk n
        WHERE n.segment = g.segment AND n.log = l.id AND n.last >= l.first AND n.count > 0 AND n.appended_ms >= $2 ORDER BY n.last LIMIT 1) AS c ON true
      WHERE g.log = l.id ORDER BY g.segment LIMIT 1),
    (SELECT c.last + 1 FROM "${schema}".chunk c WHERE c.segment = l.segment AND c.log = l.id ORDER BY c.last DESC LIMIT 1),
    s.first)) AS position
  FROM "${schema}".log l JOIN "${schema}".segment_log s ON s.log = l.id AND s.segment = l.segment
  WHERE l.topic = $1 ORDER BY l.partition`;

async function lookAt({ read }: Connections, schema: string, looks: readonly Look[]): Promise<readonly Seen[]> {
  const rows = await read<SeenRow & { readonly place: number; readonly first: number }>({
    name: "tidings_read",
    text: `SELECT w.place - 1 AS place, l.first, c.log, c.last, c.count, c.appended_ms, c.checksum,
        CASE WHEN c.till - c.size < w.bytes THEN c.header END AS header, CASE WHEN c.till - c.size < w.bytes THEN c.body END AS body
      FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[]) WITH ORDINALITY AS w(log, position, chunks, bytes, place)
      JOIN "${schema}".log l ON l.id = w.log
      LEFT JOIN LATERAL (
        SELECT c.*, octet_length(c.header) + octet_length(c.body) AS size,
          sum(octet_length(c.header) + octet_length(c.body)) OVER (ORDER BY c.last) AS till FROM (
        SELECT c.* FROM (
          SELECT g.segment FROM "${schema}".segment_log g WHERE g.log = w.log AND g.segment >= coalesce(
            (SELECT max(b.segment) FROM "${schema}".segment_log b WHERE b.log = w.log AND b.first <= greatest(w.position, l.first)), 0)
          ORDER BY g.segment) AS s
        CROSS JOIN LATERAL (
          SELECT n.log, n.last, n.count, n.appended_ms, n.checksum, n.header, n.body FROM "${schema}".chunk n
          WHERE n.segment = s.segment AND n.log = w.log AND n.last >= greatest(w.position, l.first) AND n.count > 0 ORDER BY n.last LIMIT w.chunks) AS c
        LIMIT w.chunks) AS c) AS c ON true
      ORDER BY w.place, c.last`,
    values: [
      looks.map(({ log }) => log),
      looks.map(({ position }) => position),
      looks.map(({ chunks }) => chunks),
      looks.map(({ bytes }) => Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(bytes))),
    ],
  });
  const seen = looks.map(() => ({ first: 0, rows: [] as SeenRow[] }));
  for (const row of rows) {
    const at = seen[row.place];
    if (!at) continue;
    at.first = row.first;
    if (row.last !== null) at.rows.push(row);
  }
  return seen;
}

/** Takes what there is room for from the rows of a look for so many chunks; true when no more is to be looked for. */
function takeRows(page: EndingPage, rows: readonly SeenRow[], chunks: number, place: LogPlace): boolean {
  for (const row of rows) {
    // There is more, and no room for it. The first row of a look has its texts always.
    if (row.body === null) return true;
    const chunk = openRow(row, page.next, place);
    if (!chunk) {
      if (page.records.length > 0) return true; // What was read is good; the next read meets what is wrong here.
      throw corruptRecord(place, page.next);
    }
    take(page, chunk);
    if (page.full) {
      page.end = page.next > chunk.last && row === rows.at(-1) && rows.length < chunks;
      return true;
    }
  }
  page.end = rows.length < chunks;
  return page.end;
}

/** Enough for the events, judged by the chunks before; how many bytes of them come is up to the look. */
function chunksWanted({ events }: ReadLimits, eventsPerChunk: number | undefined): number {
  if (eventsPerChunk === undefined) return chunksFirst;
  return Math.min(chunksMax, Math.max(2, Math.ceil(events / eventsPerChunk) + 1));
}

/** A page that knows whether anything stood behind it. */
interface EndingPage extends Page {
  end: boolean;
}

/** The chunk in which the position stands; undefined when it is damaged or another one. */
function openRow(row: ChunkRow, position: number, place: LogPlace): OpenChunk | undefined {
  if (!isWhole(row)) return undefined;
  const chunk = openChunkText(row, { last: row.last, count: row.count, appendedAtMs: row.appended_ms }, place);
  return holding(chunk, position);
}

/** Whether a chunk is as it was written, and where. */
export function isWhole(row: ChunkRow): boolean {
  return xor(contentOfChunk(row), placeOfChunk(row.log, row.last, row.count, row.appended_ms)) === row.checksum;
}
