import { TidingsError } from "../../errors/tidings-error.ts";
import type { Connection } from "./binding.ts";

/** The first column of the first row that a statement answers. */
export function pragma(connection: Connection, sql: string): unknown {
  const row = connection.prepare(sql).get();
  return row && Object.values(row)[0];
}

/** The same as a whole number. */
export function pragmaNumber(connection: Connection, sql: string): number {
  return Number(pragma(connection, sql));
}

/** Sets a pragma and makes sure that it took; some are refused without an error. */
export function setAndReadBack(connection: Connection, name: string, value: number | string): void {
  connection.exec(`PRAGMA ${name} = ${value}`);
  const found = pragma(connection, `PRAGMA ${name}`);
  if (String(found).toLowerCase() === String(value)) return;
  const wal =
    name === "journal_mode" ? " The file must lie on a local disk: network file systems lack what WAL needs." : "";
  throw new TidingsError(
    "TIDINGS_PATH_UNUSABLE",
    `SQLite did not take PRAGMA ${name} = ${value}; it stands at ${String(found)}.${wal}`,
    { details: { pragma: name, wanted: value, found: String(found) } },
  );
}
