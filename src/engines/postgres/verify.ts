import type { VerifyProblem, VerifyReport } from "../../ports/engine.ts";
import { checksumOfTimer, contentOfDocument, placeOfDocument, xor } from "./checksums.ts";
import type { Connections } from "./connections.ts";
import type { Settings } from "./options.ts";
import { type ChunkRow, isWhole } from "./reader.ts";
import { fromColumn } from "./text.ts";

/** So many rows are checked with one statement, so that no snapshot is held for long. */
const rowsPerStep = 200;
/** Chunks come with about so many bytes at most, or with one of them. */
const bytesPerStep = 16 * 1024 * 1024;

interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (recordsChecked: number) => void;
}

/** What one page of a table came to. */
interface Page {
  readonly checked: number;
  readonly problems: readonly VerifyProblem[];
}

/** Reads everything and checks it: checksums, and that positions have no holes. */
export async function verify(
  connections: Connections,
  settings: Settings,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const problems: VerifyProblem[] = [];
  let recordsChecked = 0;
  for (const pages of [chunkPages, documentPages, timerPages])
    for await (const page of pages(connections, settings.schema)) {
      options.signal?.throwIfAborted();
      recordsChecked += page.checked;
      problems.push(...page.problems);
      options.onProgress?.(recordsChecked);
    }
  return { recordsChecked, problems };
}

async function* chunkPages({ read }: Connections, schema: string): AsyncGenerator<Page> {
  const logs = await read<{ id: number; topic: string; partition: number; first: number }>({
    name: "tidings_verify_logs",
    text: `SELECT l.id, t.name AS topic, l.partition, l.first FROM "${schema}".log l JOIN "${schema}".topic t ON t.id = l.topic ORDER BY l.id`,
    values: [],
  });
  for (const { id, topic, partition, first } of logs) {
    let next: number | undefined;
    for (let after = first - 1; ;) {
      const rows = await read<ChunkRow>({
        name: "tidings_verify_chunks",
        text: `SELECT log, last, count, appended_ms, checksum, header, body FROM (
            SELECT *, sum(octet_length(header) + octet_length(body)) OVER (ORDER BY last, segment) - octet_length(header) - octet_length(body) AS before
            FROM (SELECT * FROM "${schema}".chunk WHERE log = $1 AND last > $2 ORDER BY last, segment LIMIT ${rowsPerStep}) AS c) AS c
          WHERE before < ${bytesPerStep} ORDER BY last, segment`,
        values: [id, after],
      });
      const problems: VerifyProblem[] = [];
      for (const row of rows) {
        const place = `topic ${topic}, partition ${partition}, position ${row.last - row.count + 1}`;
        if (!isWhole(row)) problems.push({ place, problem: "does not match its checksum" });
        if (row.last - row.count + 1 !== (next ?? first)) problems.push({ place, problem: `stands where position ${next ?? first} is expected` }); // prettier-ignore
        next = row.last + 1;
      }
      yield { checked: rows.reduce((sum, { count }) => sum + count, 0), problems };
      const last = rows.at(-1);
      if (!last) break;
      after = last.last;
    }
  }
}

async function* documentPages({ read }: Connections, schema: string): AsyncGenerator<Page> {
  type Row = { collection: string; key: string; version: number; checksum: number; value: string };
  for (let [collection, key] = ["", ""]; ;) {
    const rows = await read<Row>({
      name: "tidings_verify_documents",
      text: `SELECT collection, key, version, checksum, value FROM "${schema}".document WHERE (collection, key) > ($1, $2) ORDER BY collection, key LIMIT ${rowsPerStep}`,
      values: [collection, key],
    });
    const isDamaged = (row: Row): boolean =>
      xor(contentOfDocument(fromColumn(row.collection), fromColumn(row.key), fromColumn(row.value)), placeOfDocument(row.version)) !== row.checksum; // prettier-ignore
    yield {
      checked: rows.length,
      problems: rows.filter(isDamaged).map((row) => ({ place: `document ${row.collection} ${row.key}`, problem: "does not match its checksum" })), // prettier-ignore
    };
    const last = rows.at(-1);
    if (!last || rows.length < rowsPerStep) return;
    [collection, key] = [last.collection, last.key];
  }
}

async function* timerPages({ read }: Connections, schema: string): AsyncGenerator<Page> {
  type Row = { queue: string; key: string; due_ms: number; checksum: number; payload: string };
  for (let [queue, key] = ["", ""]; ;) {
    const rows = await read<Row>({
      name: "tidings_verify_timers",
      text: `SELECT queue, key, due_ms, checksum, payload FROM "${schema}".timer WHERE (queue, key) > ($1, $2) ORDER BY queue, key LIMIT ${rowsPerStep}`,
      values: [queue, key],
    });
    const isDamaged = (row: Row): boolean =>
      checksumOfTimer(fromColumn(row.queue), fromColumn(row.key), row.due_ms, fromColumn(row.payload)) !== row.checksum;
    yield {
      checked: rows.length,
      problems: rows.filter(isDamaged).map((row) => ({ place: `timer ${row.queue} ${row.key}`, problem: "does not match its checksum" })), // prettier-ignore
    };
    const last = rows.at(-1);
    if (!last || rows.length < rowsPerStep) return;
    [queue, key] = [last.queue, last.key];
  }
}
