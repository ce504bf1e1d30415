export { sqliteCapabilities } from "./capabilities.ts";
export { sqlite, type SqliteEngine, sqliteFromUrl } from "./factory.ts";
export { parseSqliteUrl, type SqliteOptions } from "./options.ts";
export type { UserSql } from "./user-sql.ts";
