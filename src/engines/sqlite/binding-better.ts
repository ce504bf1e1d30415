import type BetterDatabase from "better-sqlite3";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Binding, Connection } from "./binding.ts";

/** The package better-sqlite3, when it is installed. Throws TIDINGS_CLIENT_MISSING. */
export async function betterBinding(): Promise<Binding> {
  const Database = await load();
  return {
    name: "better-sqlite3",
    identity: import.meta.resolve("better-sqlite3"),
    open: (path, { readOnly, waitMs }) =>
      connect(new Database(path, { readonly: readOnly, fileMustExist: readOnly, timeout: waitMs }), true),
    adopt: (handle) => connect(handle as BetterDatabase.Database, false),
  };
}

function connect(database: BetterDatabase.Database, owned: boolean): Connection {
  return {
    exec: (sql) => void database.exec(sql),
    prepare: (sql) => database.prepare(sql),
    inTransaction: () => database.inTransaction,
    close: () => {
      if (owned) database.close();
    },
  };
}

async function load(): Promise<typeof BetterDatabase> {
  try {
    const { default: Database } = await import("better-sqlite3");
    return Database;
  } catch (cause) {
    throw new TidingsError(
      "TIDINGS_CLIENT_MISSING",
      "The binding better-sqlite3 cannot be loaded; install it with: npm install better-sqlite3",
      { cause, details: { package: "better-sqlite3" } },
    );
  }
}
