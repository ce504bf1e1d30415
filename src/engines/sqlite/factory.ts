import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import { parseSqliteUrl, settingsOf, type SqliteOptions } from "./options.ts";

/** What `tidings({ engine })` takes. */
export interface SqliteEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** The embedded engine: topics, state, timers and leases in one SQLite file. Throws TIDINGS_INVALID_OPTION. */
export function sqlite(options: SqliteOptions): SqliteEngine {
  const settings = settingsOf(options);
  return { open: (context) => openEngine(settings, context) };
}

/** The same from an address such as `sqlite:shop.db?binding=better-sqlite3`. */
export function sqliteFromUrl(url: string): SqliteEngine {
  return sqlite(parseSqliteUrl(url));
}
