import type { Duplex } from "node:stream";
import type pg from "pg";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import { begin, clientWith, loadClient, types } from "./client.ts";
import {
  closedError,
  endedBy,
  failureKind,
  isSilence,
  isWrongIsolation,
  mayEndConnection,
  toCallError,
} from "./failure.ts";
import { type Expected, StoreWatch } from "./identity.ts";
import type { Settings } from "./options.ts";

/** A statement with its values; the name makes it a prepared one. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** What came of a write: nothing was sent yet, or it was, and an answer came or did not. */
export type Sent<Row> = { readonly rows: readonly Row[] } | { readonly sent: boolean; readonly error: unknown };

/** What is done around a write in one transaction. */
export interface Inside<Row> {
  readonly before: (client: pg.PoolClient) => Promise<void>;
  /** Whether the transaction commits, or is rolled back. */
  readonly commits: (rows: readonly Row[]) => boolean;
}

/** The connections of an engine: one for writes, which keeps their order, some for reads. */
export interface Connections {
  /** Reads, and tries again while the server is away, for `busyTimeoutMs`. Rejects with an error of ours. */
  readonly read: <Row>(statement: Statement) => Promise<readonly Row[]>;
  /** Writes once. Never rejects. With `inside`, in a transaction that begins with what that does. */
  readonly write: <Row>(statement: Statement, inside?: Inside<Row>) => Promise<Sent<Row>>;
  /** Does something with a connection of its own, once; for what is no single statement. */
  alone<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result>;
  /** A client of its own, not connected yet. */
  listener(): pg.Client;
  /** A commit was acknowledged when the server's log went so far: it may never be found shorter. */
  acknowledged(reached: number): void;
  /** What a server is to show at least that is asked from now on: behind a pooler a connection can come to lead to another. */
  expected(): Expected;
  /** Throws TIDINGS_STORE_REPLACED when a server has shown less than was expected before it was asked. */
  compare(shown: Expected, expected: Expected): void;
  /** Nothing is done any more; the error to say so with. */
  setBack(): Error;
  /** Throws TIDINGS_STORE_REPLACED when the store is not the one that this engine was opened on. */
  check(): void;
  /** Why the last call found nobody; undefined when the server answers. */
  trouble(): string | undefined;
  close(): Promise<void>;
}

/** How long to wait before the server is asked again: doubles each time. */
const againMs = { least: 20, most: 1000 };
/** How long the ends of connections are waited for, and how often that is looked at. */
const closeMs = 1000;
const closeStepMs = 5;

/** Opens nothing yet: connections are made when they are needed. Throws TIDINGS_CLIENT_MISSING. */
export async function connect(settings: Settings, platform: Platform): Promise<Connections> {
  return new PooledConnections(await loadClient(), settings, platform);
}

class PooledConnections implements Connections {
  readonly #client: Awaited<ReturnType<typeof loadClient>>;
  readonly #made: typeof pg.Client;
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #options: pg.ClientConfig;
  readonly #writes: pg.Pool;
  readonly #reads: pg.Pool;
  readonly #closing = new AbortController();
  /** Connections whose end has not been seen. */
  readonly #open = new Set<pg.PoolClient>();
  readonly #watch: StoreWatch;
  /** By connection, when it was made or has last answered, by the monotonic clock. */
  readonly #answeredAtMs = new WeakMap<pg.PoolClient, number>();
  /** Those whose transactions see the past only, unless they are begun otherwise. */
  readonly #backward = new WeakSet<pg.PoolClient>();
  /** When a statement was sent that was never answered: what has not answered since may be cut off as well. */
  #silentSinceMs = Number.NEGATIVE_INFINITY;
  #trouble: string | undefined;

  constructor(client: Awaited<ReturnType<typeof loadClient>>, settings: Settings, platform: Platform) {
    this.#client = client;
    this.#made = clientWith(client, settings);
    this.#settings = settings;
    this.#platform = platform;
    this.#options = {
      connectionTimeoutMillis: settings.connectTimeoutMs,
      query_timeout: settings.requestTimeoutMs,
      keepAlive: true,
      application_name: "tidings",
      types,
    };
    this.#watch = new StoreWatch(settings);
    this.#writes = this.#pool(1);
    this.#reads = this.#pool(settings.connectionsMax - 1);
  }

  #pool(max: number): pg.Pool {
    const { url } = this.#settings;
    const verify = async (client: pg.PoolClient, done: (error?: Error) => void): Promise<void> => {
      let failure: Error | undefined;
      try {
        const level = await this.#watch.check(client);
        if (!level.startsWith("read ")) this.#backward.add(client);
      } catch (error) {
        failure = error as Error;
      }
      done(failure);
    };
    const options = { ...this.#options, connectionString: url, max, idleTimeoutMillis: 60_000 };
    const made = new this.#client.Pool({
      ...options,
      Client: this.#made,
      verify: (client, done) => void verify(client, done),
    });
    // A connection that breaks while nobody uses it; the next call makes another.
    made.on("error", () => undefined);
    // Nor does one that breaks while it is used end the process: the statement that it carries rejects.
    made.on("connect", (client) => {
      this.#open.add(client);
      client.on("error", () => undefined);
    });
    made.on("remove", (client: pg.PoolClient) => this.#open.delete(client));
    return made;
  }

  readonly read = async <Row>(statement: Statement): Promise<readonly Row[]> => {
    const { busyTimeoutMs, address } = this.#settings;
    const { signal } = this.#closing;
    const untilMs = this.#platform.clock.monotonic() + busyTimeoutMs;
    for (let tries = 0; ; tries++) {
      if (signal.aborted) throw closedError(address);
      this.check();
      try {
        return await this.#ask<Row>(await this.#checkOut(this.#reads), this.#configOf(statement));
      } catch (error) {
        if (signal.aborted) throw closedError(address);
        const ours = toCallError(error, address);
        if (!passes(error)) throw ours;
        this.#trouble = ours.message;
        if (this.#platform.clock.monotonic() >= untilMs) throw ours;
        await backOff(this.#platform, tries, signal).catch(() => undefined);
      }
    }
  };

  readonly write = async <Row>(statement: Statement, inside?: Inside<Row>): Promise<Sent<Row>> => {
    let client: pg.PoolClient;
    const replaced = this.#watch.replaced();
    if (replaced) return { sent: false, error: replaced };
    try {
      client = await this.#checkOut(this.#writes);
    } catch (error) {
      this.#trouble = toCallError(error, this.#settings.address).message;
      return { sent: false, error };
    }
    try {
      return { rows: await this.#ask<Row>(client, this.#configOf(statement), inside) };
    } catch (error) {
      return { sent: true, error };
    }
  };

  /** Asks and gives the connection back; one that broke is not used again. */
  async #ask<Row>(client: pg.PoolClient, config: pg.QueryConfig, inside?: Inside<Row>): Promise<readonly Row[]> {
    const { clock } = this.#platform;
    const sentAtMs = clock.monotonic();
    const around = inside ?? (this.#backward.has(client) ? nothingAround : undefined);
    try {
      const rows = await (around ? within<Row>(client, config, around) : rowsOf<Row>(client, config));
      this.#answeredAtMs.set(client, clock.monotonic());
      client.release(this.#watch.isUnsure(client));
      this.#trouble = undefined;
      return rows;
    } catch (refused) {
      const error = await whatEnded(client, refused);
      if (isSilence(error)) this.#silentSinceMs = Math.max(this.#silentSinceMs, sentAtMs);
      const unfit = around !== undefined || isWrongIsolation(error) || this.#watch.isUnsure(client);
      client.release(failureKind(error) === "lost" || unfit);
      throw error;
    }
  }

  /**
   * A connection that is not known to be silent. One whose way was cut off without a word looks idle, and would be found
   * out only after another `requestTimeoutMs`.
   */
  async #checkOut(pool: pg.Pool): Promise<pg.PoolClient> {
    for (;;) {
      const client = await pool.connect();
      const answeredAtMs = this.#answeredAtMs.get(client);
      if (answeredAtMs === undefined) this.#answeredAtMs.set(client, this.#platform.clock.monotonic());
      if (answeredAtMs === undefined || answeredAtMs >= this.#silentSinceMs) return client;
      cutOff(client);
      client.release(true);
    }
  }

  /** Without its name a statement is not kept by the connection, which need not be the same one the next time. */
  #configOf({ name, text, values }: Statement): pg.QueryConfig {
    const config = { text, values: values as unknown[] };
    return this.#settings.preparedStatements ? { name, ...config } : config;
  }

  async alone<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#checkOut(this.#reads);
    let broken = true;
    try {
      const result = await work(client);
      broken = this.#watch.isUnsure(client);
      return result;
    } finally {
      client.release(broken);
    }
  }

  listener(): pg.Client {
    return new this.#made({ ...this.#options, connectionString: this.#settings.listenUrl, query_timeout: 0 });
  }

  acknowledged(reached: number): void {
    this.#watch.acknowledged(reached);
  }

  expected(): Expected {
    return this.#watch.expected();
  }

  compare(shown: Expected, expected: Expected): void {
    this.#watch.compare(shown, expected);
  }

  setBack(): Error {
    return this.#watch.setBack();
  }

  check(): void {
    const replaced = this.#watch.replaced();
    if (replaced) throw replaced;
  }

  trouble(): string | undefined {
    return this.#watch.replaced()?.message ?? this.#trouble;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([this.#writes.end(), this.#reads.end()]);
    const { clock } = this.#platform;
    for (const untilMs = clock.monotonic() + closeMs; this.#open.size > 0 && clock.monotonic() < untilMs;)
      await sleep(clock, closeStepMs);
    for (const client of this.#open) cutOff(client);
  }
}

/** Ends a connection whose other end may never say anything again, which would keep the process. The types do not know its socket. */
function cutOff(client: pg.PoolClient): void {
  (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection.stream.destroy();
}

async function rowsOf<Row>(client: pg.PoolClient, statement: pg.QueryConfig): Promise<readonly Row[]> {
  const { rows } = await client.query(statement);
  return rows as Row[];
}

/** The error, or that the connection has ended with it. */
async function whatEnded(client: pg.PoolClient, error: unknown): Promise<unknown> {
  if (failureKind(error) === "lost" || !mayEndConnection(error)) return error;
  const ended = await client.query("SELECT 1").then(
    () => false,
    (later: unknown) => failureKind(later) === "lost",
  );
  return ended ? endedBy(error) : error;
}

const nothingAround: Inside<unknown> = { before: () => Promise.resolve(), commits: () => true };

/** A connection on which this fails is not used again, so that nothing of the transaction is left. */
async function within<Row>(
  client: pg.PoolClient,
  statement: pg.QueryConfig,
  inside: Inside<Row>,
): Promise<readonly Row[]> {
  await client.query(begin);
  await inside.before(client);
  const rows = await rowsOf<Row>(client, statement);
  await client.query(inside.commits(rows) ? "COMMIT" : "ROLLBACK");
  return rows;
}

/** Whether trying again may help, because nothing took effect or because a read may be repeated. */
export function passes(error: unknown): boolean {
  const kind = failureKind(error);
  return kind === "lost" || kind === "away" || kind === "again" || kind === "barred" || kind === "read-only";
}

/** Waits before another try, so that many members do not ask at once. */
export function backOff(platform: Platform, tries: number, signal?: AbortSignal): Promise<void> {
  const most = Math.min(againMs.most, againMs.least * 2 ** Math.min(tries, 10));
  return sleep(platform.clock, most / 2 + platform.random.next() * (most / 2), signal);
}
