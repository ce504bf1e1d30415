import type pg from "pg";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Settings } from "./options.ts";

/** What tells one history of a store from another. */
interface Identity {
  /** The cluster, and how often it was branched off: a standby that was promoted, or a restore to a point in time. */
  readonly history: string | null;
  /** The store: another one after a restore from a dump of another. Null before it is made. */
  readonly store: string | null;
  /** How far the log of the server goes, in bytes. */
  readonly reached: number | null;
}

/** What a server is to show at least. */
export type Expected = Pick<Identity, "history" | "reached">;

/** What shows which history of a cluster this is, and how far it goes; null on a standby. */
export const historyColumns = `CASE WHEN pg_is_in_recovery() THEN NULL ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END AS history,
        CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint END AS reached`;

/**
 * Watches that every connection leads to the same store, and that nothing is gone of what it has acknowledged. Members keep
 * positions in memory: on a store that was set back they would wait for positions to come that other events have then, and
 * skip those. So they stop for good, and begin anew from what the store holds when they are started again.
 */
export class StoreWatch {
  readonly #settings: Settings;
  #first: Identity | undefined;
  /** How far the log went at the last commit that was acknowledged. */
  #acknowledged = 0;
  #replaced: TidingsError | undefined;
  /** Connections to a standby, of which nothing could be compared. */
  readonly #unsure = new WeakSet<pg.ClientBase>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * To be called with each connection before it is used; answers with the isolation level that its transactions have by
   * default. Throws TIDINGS_STORE_REPLACED.
   */
  async check(client: pg.ClientBase): Promise<string> {
    const { schema } = this.#settings;
    // What is acknowledged while this is asked may lie behind the answer.
    const acknowledged = this.#acknowledged;
    const { rows } = await client.query<Identity & { meta: boolean; level: string }>(
      `SELECT ${historyColumns},
        to_regclass($1) IS NOT NULL AS meta, NULL AS store, current_setting('transaction_isolation') AS level`,
      [`"${schema}".meta`],
    );
    const [found] = rows;
    if (!found) throw new Error("The server does not say which it is.");
    // A standby takes no writes, which the first one of them says. What it is when it is promoted, the next connection says.
    if (found.history === null) {
      if (this.#first) this.#unsure.add(client);
      return found.level;
    }
    const store = found.meta ? await storeOf(client, schema) : null;
    this.#compare({ history: found.history, store, reached: found.reached }, acknowledged);
    return found.level;
  }

  /** What every answer from now on is to be compared with. */
  expected(): Expected {
    return { history: this.#first?.history ?? null, reached: this.#acknowledged };
  }

  /** What a server has shown that was asked after `expected`. Throws TIDINGS_STORE_REPLACED. */
  compare(now: Expected, expected: Expected): void {
    if (now.history !== null) this.#compare({ ...now, store: this.#first?.store ?? null }, expected.reached ?? 0);
  }

  /** The server has said that it is not what was expected. */
  setBack(): TidingsError {
    return this.#replaced ?? this.#stop("it was set back to an earlier state, or its history has branched off");
  }

  #compare(now: Identity, acknowledged: number): void {
    const before = this.#first;
    if (this.#replaced) throw this.#replaced;
    if ((before?.store ?? null) !== null && now.store !== before?.store)
      throw this.#stop("it is another store, or was made anew");
    if (before && now.history !== before.history)
      throw this.#stop(`its history has branched off (timeline ${before.history} is now ${now.history})`);
    if ((now.reached ?? 0) < acknowledged) throw this.#stop("it was set back to an earlier state");
    this.#first = { ...now, store: now.store ?? before?.store ?? null };
  }

  /** Whether a connection is to be used no more than once: another store may be behind it by then. */
  isUnsure(client: pg.ClientBase): boolean {
    return this.#unsure.has(client);
  }

  /** A commit was acknowledged when the log went so far. */
  acknowledged(reached: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, reached);
  }

  /** Set once another store was found; nothing is done any more. */
  replaced(): TidingsError | undefined {
    return this.#replaced;
  }

  #stop(why: string): TidingsError {
    const { address } = this.#settings;
    return (this.#replaced = new TidingsError(
      "TIDINGS_STORE_REPLACED",
      `The store at ${address} is not the one that this process has worked with: ${why}. Start the members again, so that they go on from what it holds; look with "tidings sub ls" at where they stand.`,
      { details: { address } },
    ));
  }
}

async function storeOf(client: pg.ClientBase, schema: string): Promise<string | null> {
  try {
    const { rows } = await client.query<{ value: string }>(`SELECT value FROM "${schema}".meta WHERE name = 'store'`);
    return rows[0]?.value ?? null;
  } catch (error) {
    // A table of this name that is not ours, which opening says.
    if ((error as { code?: string }).code === "42703") return null;
    throw error;
  }
}
