// The PostgreSQL of `npm run services`, and a database of its own for each run.
import { Client, type QueryResultRow } from "pg";

import { serviceUrl } from "../../scripts/services/url.ts";
import type { Facts } from "./line.ts";
import { packageVersion } from "./versions.ts";

const shown = [
  "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "wal_level", "shared_buffers", "max_wal_size", "commit_delay", "autovacuum", "jit",
]; // prettier-ignore

/** Its URL; starts it when it does not run. */
export const postgresUrl = (): string => serviceUrl("postgres");

/** Version and settings as the server says them. Throws when it acknowledges what is not on the disk. */
export async function postgresFacts(url: string): Promise<Facts> {
  const rows = await ask<{ name: string; setting: string }>(
    url,
    "SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY ($1)",
    [[...shown, "server_version"]],
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  for (const name of ["fsync", "synchronous_commit"])
    if (settings.get(name) !== "on") throw new Error(`The server runs with ${name}=${settings.get(name)}; the bench needs on.`); // prettier-ignore
  return {
    postgres: settings.get("server_version") ?? "unknown",
    ...Object.fromEntries(shown.map((name) => [name, settings.get(name) ?? "unknown"])),
    pg: packageVersion("pg"),
    pgBoss: packageVersion("pg-boss"),
    graphileWorker: packageVersion("graphile-worker"),
  };
}

let made = 0;

/** Makes a database and answers with its URL. Everything before it is on the disk, so that no run pays for another. */
export async function createDatabase(server: string): Promise<string> {
  const name = `tidings_bench_${process.pid}_${++made}`;
  await ask(server, `CREATE DATABASE ${name}`);
  await ask(server, "CHECKPOINT");
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Removes a database of `createDatabase`, with the connections that are left. */
export async function dropDatabase(server: string, url: string): Promise<void> {
  await ask(server, `DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
}

/** One statement on a connection of its own. */
export async function ask<Row extends QueryResultRow>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}
