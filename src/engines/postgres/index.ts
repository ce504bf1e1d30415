export { postgresCapabilities } from "./capabilities.ts";
export { postgres, type PostgresEngine, postgresFromUrl } from "./factory.ts";
export type { UserSql } from "./user-sql.ts";
export { parsePostgresUrl, type PostgresOptions } from "./options.ts";
