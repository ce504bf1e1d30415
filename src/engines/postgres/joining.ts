import type pg from "pg";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Appended, TopicEntry } from "../../ports/topics.ts";
import type { Draft } from "../sql/draft.ts";
import { idConflict } from "../sql/topics.ts";
import { type Call, publishCallOf } from "./call.ts";
import type { Catalog } from "./catalog.ts";
import { types } from "./client.ts";
import type { Statement } from "./connections.ts";
import { toTidingsError } from "./failure.ts";
import type { Settings } from "./options.ts";
import { appendedOf, knownIds, place } from "./placing.ts";
import { type CommitRow, commitStatement } from "./statement.ts";
import { channelOf, newsOf } from "./news.ts";

/** What a transaction of the user is joined by. */
type Handle = Pick<pg.ClientBase, "query">;

/**
 * Appends inside a transaction that the user has begun on a client of `pg`, and tells the members when it commits. The
 * partitions are locked until then.
 */
export async function publishIn(
  handle: unknown,
  entries: readonly TopicEntry[],
  { catalog, settings, deduplicationWindowMs }: { catalog: Catalog; settings: Settings; deduplicationWindowMs: number },
): Promise<readonly Appended[]> {
  const client = await inTransaction(handle);
  const call = publishCallOf(entries);
  await catalog.load(call.drafts.map(({ topic }) => topic));
  const read = async <Row>({ text, values }: Statement): Promise<readonly Row[]> => {
    const { rows } = await client.query({ text, values: [...values], types } as pg.QueryConfig);
    return rows as Row[];
  };
  const known = await knownIds({ read }, settings, [call], deduplicationWindowMs);
  const placed = place([call], catalog, known);
  const [places] = placed.places;
  if (places instanceof Error) throw places;
  if (places === undefined || typeof places === "number")
    throw idConflict(call.drafts[places ?? 0] as Draft, places ?? 0);
  const [row] = await commit(read, call, placed, settings, deduplicationWindowMs);
  const logs = [...placed.staged.keys()];
  const nextOf = (log: number): number => row?.nexts?.[logs.indexOf(log)] ?? 0;
  const topics = new Set(call.drafts.map(({ topic }) => topic));
  await read({ name: "", text: "SELECT pg_notify($1, $2)", values: [channelOf(settings), newsOf("", topics, [])] });
  return appendedOf(places, nextOf);
}

async function commit(
  read: <Row>(statement: Statement) => Promise<readonly Row[]>,
  call: Call,
  placed: Parameters<typeof commitStatement>[1],
  settings: Settings,
  deduplicationWindowMs: number,
): Promise<readonly CommitRow[]> {
  try {
    return await read<CommitRow>(commitStatement([call], placed, settings, deduplicationWindowMs));
  } catch (error) {
    if ((error as { code?: string }).code !== "TD001") throw toTidingsError(error, settings.address);
    throw new TidingsError(
      "TIDINGS_CONFLICT",
      "Somebody has published an event under the same id meanwhile: roll the transaction back and do it again.",
      { cause: error },
    );
  }
}

/** Outside of a transaction each statement would commit by itself, and the publish could not be rolled back. */
async function inTransaction(handle: unknown): Promise<Handle> {
  const client = handle as Partial<Handle> | undefined;
  const misuse = (what: string): TidingsError =>
    new TidingsError(
      "TIDINGS_TRANSACTION_MISUSE",
      `app.publishIn takes a client of pg on which you have run BEGIN: ${what}.`,
    );
  if (typeof client?.query !== "function") throw misuse("this has no query function");
  const { rows } = await client.query(
    "SELECT now() <> statement_timestamp() AS began, current_setting('transaction_isolation') AS level",
  );
  const [found] = rows as { began: boolean; level: string }[];
  // Inside a transaction now() is its beginning, which lies before this statement.
  if (found?.began !== true) throw misuse("no transaction is open on it");
  // One that sees the past only does not know where the newest event stands. Said here, it need not be rolled back for that.
  if (!found.level.startsWith("read ")) throw misuse(`its transaction is ${found.level} and must be read committed`);
  return client as Handle;
}
