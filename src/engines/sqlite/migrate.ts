import { TidingsError } from "../../errors/tidings-error.ts";
import type { Connection } from "./binding.ts";
import { notWritable } from "./place.ts";
import { applicationId, migrations, schemaVersion } from "./schema.ts";

/** Runs something again while somebody else holds a lock. */
export type Patient = <Result>(fn: () => Result) => Promise<Result>;

interface Target {
  readonly path: string;
  readonly readOnly: boolean;
}

/**
 * Looks whether the file is ours before anything is changed, sets the pragmas, and takes the schema to the newest
 * version, each step in a transaction. Several processes may do so at once: whoever comes second finds it done.
 */
export async function migrate(
  connection: Connection,
  target: Target,
  patient: Patient,
  setPragmas: () => void,
): Promise<void> {
  const version = await patient(() => versionOf(connection, target));
  if (target.readOnly && version < schemaVersion) {
    const why = version === 0 ? "it is empty" : `its schema has the older version ${version}`;
    throw notWritable(target.path, `${why}; open it for writing once`);
  }
  await patient(setPragmas);
  while (await patient(() => step(connection, target)));
}

/** Takes one step; false when there was none left to take. */
function step(connection: Connection, target: Target): boolean {
  if (target.readOnly || versionOf(connection, target) === schemaVersion) return false;
  connection.exec("BEGIN IMMEDIATE");
  try {
    const version = versionOf(connection, target);
    if (version < schemaVersion) {
      connection.exec(migrations[version] as string);
      connection.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version + 1};`);
    }
    connection.exec("COMMIT");
    return true;
  } catch (error) {
    if (connection.inTransaction()) connection.exec("ROLLBACK");
    throw error;
  }
}

/** The file's schema version, 0 when it is empty. Throws TIDINGS_NOT_OUR_FILE or TIDINGS_FILE_TOO_NEW. */
function versionOf(connection: Connection, { path }: Target): number {
  // One statement, so that all three are of one moment also while another process migrates.
  const { owner, version, tables } = connection
    .prepare(
      "SELECT application_id AS owner, user_version AS version, (SELECT count(*) FROM sqlite_schema) AS tables " +
        "FROM pragma_application_id, pragma_user_version",
    )
    .get() as { owner: number; version: number; tables: number };
  if (owner !== applicationId && (owner !== 0 || version !== 0 || tables !== 0)) {
    throw new TidingsError(
      "TIDINGS_NOT_OUR_FILE",
      `The file ${path} is a SQLite file of another application; choose another path.`,
      { details: { path, applicationId: owner } },
    );
  }
  if (version > schemaVersion) {
    throw new TidingsError(
      "TIDINGS_FILE_TOO_NEW",
      `The file ${path} has schema version ${version}, and this version of tidings knows up to ${schemaVersion}; update tidings.`,
      { details: { path, version, known: schemaVersion } },
    );
  }
  return version;
}
