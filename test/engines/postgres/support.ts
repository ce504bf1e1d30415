import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import * as pg from "pg";

import { serviceUrl } from "../../../scripts/services/url.ts";
import { urls } from "../../../scripts/services/records.ts";
import { postgres, type PostgresOptions } from "../../../src/engines/postgres/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { missing } from "../../lib/machine.ts";

export { entry, record } from "../records.ts";

export const platform = systemPlatform();

/** The address under which all connections have this name, so that they can be told from those of others. */
export function named(name: string): string {
  const url = new URL(serviceUrl("postgres"));
  url.searchParams.set("application_name", name);
  return url.href;
}

/** Why nothing of this can be tested here; false when it can. */
export const withoutPostgres: string | false =
  process.env["TIDINGS_POSTGRES_URL"] === undefined &&
  urls(["postgres"])["postgres"] === undefined &&
  missing("no Postgres runs: npm run services -- up postgres");

export type FullEngine = Engine & Required<Pick<Engine, "state" | "timers" | "leases" | "transact">>;

/** A client of the test's own, closed after it. */
export async function client(t: TestContext, url = serviceUrl("postgres")): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: url });
  made.on("error", () => undefined);
  await made.connect();
  afterwards(t, () => made.end().catch(() => undefined));
  return made;
}

/** A name for a schema that is dropped after the test. */
export async function schema(t: TestContext): Promise<string> {
  const name = `t_${randomUUID().replaceAll("-", "")}`;
  const cleaner = await client(t);
  afterwards(t, () => cleaner.query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`));
  return name;
}

/** An engine, closed after the test. */
export async function open(t: TestContext, options: Partial<PostgresOptions> = {}): Promise<FullEngine> {
  const engine = await postgres({ url: serviceUrl("postgres"), ...options }).open({ platform });
  afterwards(t, () => engine.close());
  return engine as FullEngine;
}

/** The numbers of all events of a partition, in order. */
export async function numbers(engine: Engine, partition = 0, topic = "orders"): Promise<number[]> {
  const all: number[] = [];
  for (let position = 0; ;) {
    const { records, next } = await engine.topics.read(topic, partition, position, { events: 500, bytes: 1 << 20 });
    if (records.length === 0) return all;
    for (const { data } of records) all.push((JSON.parse(data as string) as { n: number }).n);
    position = next;
  }
}

/** What it rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error("It did not reject.");
}

/** Waits until it holds; looks every few milliseconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`It did not come about within ${withinMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
