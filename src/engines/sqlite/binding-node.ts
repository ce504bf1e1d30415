import type { DatabaseSync } from "node:sqlite";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Binding, Connection } from "./binding.ts";

/** The SQLite inside Node.js. */
export function nodeBinding(): Binding {
  const sqlite = load();
  return {
    name: "node:sqlite",
    identity: "node:sqlite",
    open: (path, { readOnly, waitMs }) =>
      connect(new sqlite.DatabaseSync(path, { readOnly, timeout: waitMs, enableForeignKeyConstraints: false }), true),
    adopt: (handle) => connect(handle as DatabaseSync, false),
  };
}

function connect(database: DatabaseSync, owned: boolean): Connection {
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => database.prepare(sql),
    inTransaction: () => database.isTransaction,
    close: () => {
      if (owned && database.isOpen) database.close();
    },
  };
}

/** Node.js 22 calls the module experimental on stderr; whoever picked tidings has heard of it from us. */
function load(): typeof import("node:sqlite") {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = (warning: string | Error, ...rest: never[]): void => {
    if (!String(warning).includes("SQLite is an experimental feature")) emitWarning(warning, ...rest);
  };
  try {
    const found = process.getBuiltinModule("node:sqlite");
    if (found) return found;
  } finally {
    process.emitWarning = emitWarning;
  }
  throw new TidingsError("TIDINGS_NODE_TOO_OLD", "This Node.js was built without node:sqlite; use an official build.");
}
