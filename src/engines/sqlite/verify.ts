import type { VerifyProblem } from "../../ports/engine.ts";
import type { Connection } from "./binding.ts";
import { type ChunkRow, openChunk } from "./chunk.ts";
import { documentChecksum, type DocumentRow } from "./documents.ts";
import { describeFailure } from "./failure.ts";
import { timerChecksum, type TimerRow } from "./timers.ts";

/** What one step of a verification found. */
export interface VerifyStep {
  readonly checked: number;
  readonly problems: readonly VerifyProblem[];
}

/** So many rows are checked in one step, so that no snapshot is held for long. */
const rowsPerStep = 64;

interface LogRow {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly first: number;
}

/** Reads everything and checks it. What one table's damage hides is a problem, too, and the others are still read. */
export function* verifySteps(connection: Connection): Generator<VerifyStep, void> {
  const tables = (
    connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
  ).map(({ name }) => name);
  for (const table of tables) yield step(`table ${table}`, () => integrity(connection, table));
  yield* paged("tidings_chunk", (after) => chunks(connection, after));
  yield step("tidings_log", () => heads(connection));
  yield* paged("tidings_document", (after) => documents(connection, after));
  yield* paged("tidings_timer", (after) => timers(connection, after));
  yield step("references", () => references(connection));
}

interface Found extends VerifyStep {
  /** Where to go on; undefined at the end. */
  readonly next?: number | undefined;
}

function step(place: string, check: () => Found): Found {
  try {
    return check();
  } catch (error) {
    return { checked: 0, problems: [{ place, problem: `cannot be read: ${describeFailure(error)}` }] };
  }
}

function* paged(place: string, page: (after: number) => Found): Generator<VerifyStep, void> {
  for (let after: number | undefined = -1; after !== undefined;) {
    const from: number = after;
    const found = step(place, () => page(from));
    yield found;
    after = found.next;
  }
}

/** One table at a time with its indexes, so that the log can begin anew in between. */
function integrity(connection: Connection, table: string): Found {
  const rows = connection.prepare(`PRAGMA integrity_check("${table.replaceAll('"', '""')}")`).all() as {
    integrity_check: string;
  }[];
  const problems = rows
    .filter((row) => row.integrity_check !== "ok")
    .map((row) => ({ place: `table ${table}`, problem: row.integrity_check }));
  return { checked: 0, problems };
}

function chunks(connection: Connection, after: number): Found {
  const rows = connection
    .prepare(
      "SELECT chunk.*, log.topic, log.partition, log.first AS log_first, (SELECT max(earlier.last) FROM tidings_chunk AS earlier " +
        "WHERE earlier.log = chunk.log AND earlier.last < chunk.last) AS before FROM tidings_chunk AS chunk " +
        `LEFT JOIN tidings_log AS log ON log.id = chunk.log WHERE chunk.id > ? ORDER BY chunk.id LIMIT ${rowsPerStep}`,
    )
    .all(after) as (ChunkRow & { topic: string | null; partition: number; log_first: number; before: number | null })[];
  const problems: VerifyProblem[] = [];
  let checked = 0;
  for (const row of rows) {
    const { topic, partition, log_first: logFirst, before } = row;
    checked += row.count;
    const first = row.last - row.count + 1;
    const place = topic === null ? `chunk ${row.id}` : `${topic}/${partition}/${first}`;
    if (topic === null) problems.push({ place, problem: `belongs to log ${row.log}, which does not exist` });
    else if (!openChunk(row, { topic, partition }))
      problems.push({ place, problem: `events ${first} to ${row.last} do not match their checksum` });
    else if (first !== (before === null ? logFirst : before + 1))
      problems.push({ place, problem: "events before it are missing" });
  }
  return { checked, problems, next: rows.length === rowsPerStep ? rows.at(-1)?.id : undefined };
}

/** A log that has lost its newest chunks cannot be told from one that never had them, but one may not begin behind its end. */
function heads(connection: Connection): Found {
  const rows = connection
    .prepare(
      "SELECT id, topic, partition, first FROM tidings_log AS log WHERE first > " +
        "(SELECT coalesce(max(last) + 1, first) FROM tidings_chunk WHERE log = log.id)",
    )
    .all() as LogRow[];
  const problems = rows.map(({ topic, partition, first }) => ({
    place: `${topic}/${partition}`,
    problem: `begins at ${first}, behind its newest event`,
  }));
  return { checked: 0, problems };
}

function documents(connection: Connection, after: number): Found {
  const rows = connection
    .prepare(
      "SELECT rowid AS id, collection, key, version, checksum, value FROM tidings_document " +
        `WHERE rowid > ? ORDER BY rowid LIMIT ${rowsPerStep}`,
    )
    .all(after) as (DocumentRow & { id: number; collection: string })[];
  const problems = rows
    .filter(
      ({ collection, key, version, value, checksum }) =>
        documentChecksum(collection, key, version, String(value)) !== checksum,
    )
    .map(({ collection, key }) => ({ place: `document ${collection}/${key}`, problem: "does not match its checksum" }));
  return { checked: rows.length, problems, next: rows.length === rowsPerStep ? rows.at(-1)?.id : undefined };
}

function timers(connection: Connection, after: number): Found {
  const rows = connection
    .prepare(
      `SELECT id, queue, key, due_ms, checksum, payload FROM tidings_timer WHERE id > ? ORDER BY id LIMIT ${rowsPerStep}`,
    )
    .all(after) as TimerRow[];
  const problems = rows
    .filter(
      ({ queue, key, due_ms, payload, checksum }) => timerChecksum(queue, key, due_ms, String(payload)) !== checksum,
    )
    .map(({ queue, key }) => ({ place: `timer ${queue}/${key}`, problem: "does not match its checksum" }));
  return { checked: rows.length, problems, next: rows.length === rowsPerStep ? rows.at(-1)?.id : undefined };
}

function references(connection: Connection): Found {
  const orphans = connection
    .prepare(
      "SELECT log.topic, log.partition FROM tidings_log AS log LEFT JOIN tidings_topic AS topic ON topic.name = log.topic WHERE topic.name IS NULL",
    )
    .all() as { topic: string; partition: number }[];
  const short = connection
    .prepare(
      "SELECT name, partitions, (SELECT count(*) FROM tidings_log WHERE topic = name) AS logs FROM tidings_topic AS topic WHERE logs <> partitions",
    )
    .all() as { name: string; partitions: number; logs: number }[];
  return {
    checked: 0,
    problems: [
      ...orphans.map(({ topic, partition }) => ({
        place: `${topic}/${partition}`,
        problem: "belongs to a topic that does not exist",
      })),
      ...short.map(({ name, partitions, logs }) => ({
        place: name,
        problem: `has ${logs} of ${partitions} partitions`,
      })),
    ],
  };
}
