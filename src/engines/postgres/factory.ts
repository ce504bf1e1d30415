import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import { parsePostgresUrl, type PostgresOptions, settingsOf } from "./options.ts";

/** What `tidings({ engine })` takes. */
export interface PostgresEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** Topics, state, timers and leases in one schema of a PostgreSQL database. Throws TIDINGS_INVALID_OPTION. */
export function postgres(options: PostgresOptions): PostgresEngine {
  const settings = settingsOf(options);
  return { open: (context) => openEngine(settings, context) };
}

/** The same from an address such as `postgres://user:password@host/shop?schema=events`. */
export function postgresFromUrl(url: string): PostgresEngine {
  return postgres(parsePostgresUrl(url));
}
