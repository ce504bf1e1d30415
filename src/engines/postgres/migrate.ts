import type pg from "pg";
import { TidingsError } from "../../errors/tidings-error.ts";
import { begin } from "./client.ts";
import type { Settings } from "./options.ts";
import { lockOf, migrations, schemaVersion, sqlOf } from "./schema/migrations.ts";

/** The oldest server whose functions suffice. */
const serverMin = 130_000;

/** What is known of the server at the start. */
export interface Server {
  /** As in "15.18". */
  readonly version: string;
  readonly user: string;
  readonly database: string;
}

/**
 * Looks whether server and schema are fit for us before anything is changed, and takes the schema to the newest version in
 * one transaction, under a lock: whoever comes second finds it done. Throws what is wrong with one sentence.
 */
export async function migrate(client: pg.PoolClient, settings: Settings): Promise<Server> {
  const server = await checkServer(client, settings);
  const found = await versionOf(client, settings);
  if (found === schemaVersion) return server;
  if (settings.readOnly) throw found === 0 ? missing(settings) : outdated(settings);
  await client.query(begin);
  try {
    await client.query("SELECT pg_advisory_xact_lock($1, -1)", [lockOf(settings.schema)]);
    const version = await versionOf(client, settings);
    // IF NOT EXISTS takes the permission to make one also where there is one.
    const { rowCount } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [settings.schema]);
    if (rowCount === 0) await client.query(`CREATE SCHEMA "${settings.schema}"`);
    for (const step of migrations.slice(version)) await client.query(sqlOf(step, settings.schema));
    if (version === 0) await compress(client, settings.schema);
    await client.query(
      `INSERT INTO "${settings.schema}".meta VALUES ('schema', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      [String(schemaVersion)],
    );
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw withGrant(error, settings, server);
  }
  return server;
}

async function checkServer(client: pg.PoolClient, { address }: Settings): Promise<Server> {
  const { rows } = await client.query<
    Server & { number: number; fsync: string; full_page_writes: string; encoding: string }
  >(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number, current_user AS user,
      current_database() AS database, current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
      current_setting('server_encoding') AS encoding`,
  );
  const [found] = rows;
  if (!found) throw new Error("The server does not say what it is.");
  const { version, number, user, database } = found;
  if (number < serverMin)
    throw new TidingsError(
      "TIDINGS_SERVER_TOO_OLD",
      `The server of ${address} is PostgreSQL ${version}; tidings needs 13 or newer.`,
      { details: { address, version } },
    );
  for (const name of ["fsync", "full_page_writes"] as const)
    if (found[name] !== "on")
      throw new TidingsError(
        "TIDINGS_SERVER_UNSAFE",
        `The server of ${address} runs with ${name} = ${found[name]}: a power cut loses what was acknowledged. Set it to on.`,
        { details: { address, setting: name } },
      );
  if (found.encoding !== "UTF8")
    throw new TidingsError(
      "TIDINGS_SERVER_UNSAFE",
      `The database "${database}" of ${address} has the encoding ${found.encoding}, which has no place for most characters: make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.`,
      { details: { address, setting: "server_encoding" } },
    );
  return { version, user, database };
}

/** The version of our schema, 0 when there is none. Throws when something else stands in its place, or a newer one. */
async function versionOf(client: pg.PoolClient, { schema, address }: Settings): Promise<number> {
  const { rows } = await client.query<{ meta: boolean; others: number }>(
    `SELECT to_regclass($1) IS NOT NULL AS meta,
      (SELECT count(*)::integer FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $2) AS others`,
    [`"${schema}".meta`, schema],
  );
  const found = rows[0] ?? { meta: false, others: 0 };
  const foreign = (): TidingsError =>
    new TidingsError(
      "TIDINGS_FOREIGN_SCHEMA",
      `The schema "${schema}" of ${address} holds tables that are not ours; choose another with ?schema=NAME.`,
      { details: { address, schema } },
    );
  if (!found.meta) {
    if (found.others > 0) throw foreign();
    return 0;
  }
  const meta = await client
    .query<{ value: string }>(`SELECT value FROM "${schema}".meta WHERE name = 'schema'`)
    .catch((error: unknown) => {
      if ((error as { code?: string }).code === "42703") throw foreign();
      throw error;
    });
  const version = Number(meta.rows[0]?.value ?? Number.NaN);
  if (!Number.isInteger(version)) throw foreign();
  if (version > schemaVersion)
    throw new TidingsError(
      "TIDINGS_SCHEMA_TOO_NEW",
      `The schema "${schema}" of ${address} has version ${version}, and this version of tidings knows up to ${schemaVersion}; update tidings.`,
      { details: { address, version, known: schemaVersion } },
    );
  return version;
}

/** Chunks are texts of some size; lz4 costs a fraction of the default, where the server has it. */
async function compress(client: pg.PoolClient, schema: string): Promise<void> {
  await client.query("SAVEPOINT lz4");
  try {
    await client.query(
      `ALTER TABLE "${schema}".chunk ALTER COLUMN body SET COMPRESSION lz4, ALTER COLUMN header SET COMPRESSION lz4`,
    );
  } catch {
    await client.query("ROLLBACK TO SAVEPOINT lz4");
    await client.query(`ALTER TABLE "${schema}".chunk ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN header SET STORAGE EXTERNAL`); // prettier-ignore
  }
}

function missing({ schema, address }: Settings): TidingsError {
  return new TidingsError(
    "TIDINGS_NOT_FOUND",
    `There is nothing of tidings in the schema "${schema}" at ${address}, and nothing is made for reading: correct the address or the schema, or start the application first.`,
    { details: { address, schema } },
  );
}

function outdated({ schema, address }: Settings): TidingsError {
  return new TidingsError(
    "TIDINGS_READ_ONLY",
    `The schema "${schema}" of ${address} is older than this version of tidings; open it for writing once.`,
    { details: { address, schema } },
  );
}

/** Says which grant is missing. */
function withGrant(error: unknown, { schema, address }: Settings, { user, database }: Server): unknown {
  if ((error as { code?: string }).code !== "42501") return error;
  return new TidingsError(
    "TIDINGS_ACCESS_DENIED",
    `The role "${user}" may not make the schema "${schema}" at ${address}: let its owner run GRANT CREATE ON DATABASE "${database}" TO "${user}", or make the schema for it with CREATE SCHEMA "${schema}" AUTHORIZATION "${user}".`,
    { cause: error, details: { address, schema, role: user } },
  );
}
