export { postgresCapabilities } from "./capabilities.ts";
export { postgres, type PostgresEngine, postgresFromUrl } from "./factory.ts";
export { parsePostgresUrl, type PostgresOptions } from "./options.ts";
