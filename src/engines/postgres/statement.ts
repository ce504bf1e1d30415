import { crc32 } from "node:zlib";
import type { Fence } from "../../ports/transaction.ts";
import { chunkEnds, encodeChunk } from "../sql/chunk.ts";
import type { Call } from "./call.ts";
import { checksumOfTimer, contentOfChunk, contentOfDocument } from "./checksums.ts";
import type { Statement } from "./connections.ts";
import { documentKind, foldDocuments, type FoldedDocument, foldTimers } from "./folding.ts";
import { nameOf } from "./group.ts";
import type { Expected } from "./identity.ts";
import type { Settings } from "./options.ts";
import type { Placed } from "./placing.ts";
import { toColumn } from "./text.ts";

/** What a commit answers; the indexes are those of all fences and all checks of the group, one after the other. */
export interface CommitRow {
  readonly bad_fences: readonly number[] | null;
  readonly bad_checks: readonly number[] | null;
  readonly found_versions: readonly number[] | null;
  readonly nexts: readonly number[] | null;
  readonly appended_ms: readonly number[] | null;
  readonly at_ms: number;
  /** How far the server's log went, when the commit is synced. */
  readonly reached: number | null;
}

/**
 * So often a commit asks for its locks before it gives up, and so long at most each time: it keeps those who renew the leases that
 * it is fenced with waiting. One inside of a transaction of the user asks once, for that would have to begin again.
 */
const lockTries = 4;
const lockMsMax = 2500;

/** Over how many locks the documents that do not exist are spread. */
const buckets = 64;

/** The one statement that commits a group. */
export function commitStatement(
  calls: readonly Call[],
  placed: Placed,
  settings: Settings,
  deduplicationWindowMs: number,
  writer?: Fence,
  expected?: Expected,
): Statement {
  const texts: Buffer[] = [];
  // Most calls of a full group only publish: there is nothing to look for in them.
  const transactions = calls.filter(isTransaction);
  const values = [
    calls.some(({ durable }) => durable),
    writer ? Math.ceil(Math.min(lockMsMax, settings.busyTimeoutMs / lockTries)) : Math.ceil(settings.busyTimeoutMs),
    expected?.history ?? null,
    expected?.reached ?? null,
    ...fenceValues(transactions, writer),
    ...lockValues(transactions),
    ...checkValues(transactions),
    ...documentValues(transactions, texts),
    ...timerValues(transactions, texts),
    ...idValues(placed, deduplicationWindowMs),
    ...appendValues(placed, texts),
    Buffer.concat(texts),
  ];
  return { name: "tidings_commit", text: commitText(settings.schema), values };
}

function isTransaction({ fences, checks, documents, timers }: Call): boolean {
  return fences.length + checks.length + documents.length + timers.length > 0;
}

const casts = [
  "boolean", "integer", "text", "bigint", "text[]", "bigint[]", "integer[]", "integer[]", "text[]", "text[]", "text[]", "text[]", "bigint[]",
  "text[]", "text[]", "integer[]", "integer[]", "bigint[]", "integer[]", "text[]", "text[]", "bigint[]", "bigint[]", "bigint[]", "integer[]",
  "text[]", "text[]", "text[]", "integer[]", "integer[]", "bigint", "integer[]", "integer[]",
  "integer[]", "integer[]", "integer[]", "bigint[]", "integer[]", "integer[]", "bytea",
]; // prettier-ignore

const commitText = (schema: string): string =>
  `SELECT * FROM "${schema}".commit(${casts.map((cast, index) => `$${index + 1}::${cast}`).join(", ")})`;

/** Null where there is nothing, so that the function skips the part. */
const orNull = <Item>(items: Item[]): Item[] | null => (items.length === 0 ? null : items);

/** That of the writer stands behind those of the calls. */
function fenceValues(calls: readonly Call[], writer: Fence | undefined): unknown[] {
  const fences = calls.flatMap((call) => call.fences);
  if (writer) fences.push(writer);
  return [orNull(fences.map(({ lease }) => toColumn(lease))), orNull(fences.map(({ token }) => token))];
}

/** All documents that are looked at or written are locked, in one order; what is not there is locked by its bucket. */
function lockValues(calls: readonly Call[]): unknown[] {
  const absent = new Set<number>();
  const inserted = new Set<number>();
  const locked = new Map<string, { collection: string; key: string }>();
  for (const { checks, documents } of calls) {
    const written = new Map(documents.map((write) => [nameOf("d", write.collection, write.key), write]));
    for (const { collection, key, version } of checks) {
      const name = nameOf("d", collection, key);
      if (version > 0) locked.set(name, { collection, key });
      else if ((written.get(name)?.value ?? null) === null) absent.add(bucketOf(collection, key));
    }
    const known = new Set(checks.filter(({ version }) => version > 0).map((check) => nameOf("d", check.collection, check.key))); // prettier-ignore
    for (const [name, { collection, key, value }] of written) {
      locked.set(name, { collection, key });
      if (value !== null && !known.has(name)) inserted.add(bucketOf(collection, key));
    }
  }
  const all = [...locked.values()];
  return [
    orNull([...absent]),
    orNull([...inserted]),
    orNull(all.map(({ collection }) => toColumn(collection))),
    orNull(all.map(({ key }) => toColumn(key))),
  ];
}

const bucketOf = (collection: string, key: string): number => crc32(`${collection}\n${key}`) % buckets;

function checkValues(calls: readonly Call[]): unknown[] {
  const checks = calls.flatMap((call) => call.checks);
  return [
    orNull(checks.map(({ collection }) => toColumn(collection))),
    orNull(checks.map(({ key }) => toColumn(key))),
    orNull(checks.map(({ version }) => version)),
  ];
}

function documentValues(calls: readonly Call[], texts: Buffer[]): unknown[] {
  const documents = calls.flatMap(foldDocuments);
  const lengths = documents.map(({ kind, value }) => (kind === documentKind.remove ? 0 : add(texts, toColumn(value))));
  const sum = ({ collection, key, value }: FoldedDocument): number => contentOfDocument(collection, key, value);
  return [
    orNull(documents.map(({ collection }) => toColumn(collection))),
    orNull(documents.map(({ key }) => toColumn(key))),
    orNull(documents.map(({ kind }) => kind)),
    orNull(documents.map(({ step }) => step)),
    orNull(documents.map(sum)),
    orNull(lengths),
  ];
}

function timerValues(calls: readonly Call[], texts: Buffer[]): unknown[] {
  const timers = calls.flatMap((call) => foldTimers(call.timers));
  const lengths = timers.map(({ dueAtMs, payload }) => (dueAtMs === null ? 0 : add(texts, toColumn(payload))));
  return [
    orNull(timers.map(({ queue }) => toColumn(queue))),
    orNull(timers.map(({ key }) => toColumn(key))),
    orNull(timers.map(({ dueAtMs }) => dueAtMs)),
    orNull(timers.map(({ version }) => version ?? null)),
    orNull(timers.map(({ queue, key, dueAtMs, payload }) => checksumOfTimer(queue, key, dueAtMs ?? 0, payload))),
    orNull(lengths),
  ];
}

function idValues({ remembered }: Placed, windowMs: number): unknown[] {
  return [
    orNull(remembered.map(({ draft }) => toColumn(draft.source))),
    orNull(remembered.map(({ draft }) => toColumn(draft.id))),
    orNull(remembered.map(({ draft }) => draft.hash ?? "")),
    orNull(remembered.map(({ log }) => log)),
    orNull(remembered.map(({ behind }) => behind)),
    windowMs,
  ];
}

function appendValues({ staged }: Placed, texts: Buffer[]): unknown[] {
  const columns: number[][] = [[], [], [], [], [], []];
  for (const [log, drafts] of staged) {
    let begin = 0;
    for (const end of chunkEnds(drafts)) {
      const text = encodeChunk(drafts.slice(begin, end));
      // The checksum is made of the bytes that are sent, so that the text becomes UTF-8 once.
      const header = Buffer.from(text.header);
      const body = Buffer.from(text.body);
      texts.push(header, body);
      const row = [log, end - 1, end - begin, contentOfChunk({ header, body }), header.length, body.length];
      row.forEach((value, index) => columns[index]?.push(value));
      begin = end;
    }
  }
  const logs = [...staged];
  return [orNull(logs.map(([log]) => log)), orNull(logs.map(([, drafts]) => drafts.length)), ...columns.map(orNull)];
}

/** Answers with the number of bytes. */
function add(texts: Buffer[], text: string): number {
  const bytes = Buffer.from(text);
  texts.push(bytes);
  return bytes.length;
}
