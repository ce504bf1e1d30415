import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { createClient } from "@redis/client";

import { urls } from "../../../scripts/services/records.ts";
import { serviceUrl } from "../../../scripts/services/url.ts";
import { redis, type RedisOptions } from "../../../src/engines/redis/index.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { missing } from "../../lib/machine.ts";

export { entry, record } from "../records.ts";

export const platform = systemPlatform();
export const url = (): string => serviceUrl("redis-synced");

/** Why nothing of this can be tested here; false when it can. */
export const withoutRedis: string | false =
  process.env["TIDINGS_REDIS_SYNCED_URL"] === undefined &&
  urls(["redis-synced"])["redis-synced"] === undefined &&
  missing("no Redis that syncs runs: npm run services -- up redis-synced");

/** A client of the test's own, closed after it. */
export async function client(t: TestContext, to = url()) {
  const made = createClient({ url: to, RESP: 2, socket: { reconnectStrategy: 20 } });
  made.on("error", () => undefined);
  await made.connect();
  afterwards(t, () => made.destroy());
  return made;
}

/** A prefix of which the keys are removed after the test. */
export async function prefix(t: TestContext, to = url()): Promise<string> {
  const name = `t_${randomUUID()}`;
  const cleaner = await client(t, to);
  afterwards(t, async () => {
    for await (const keys of cleaner.scanIterator({ MATCH: `{${name}}:*`, COUNT: 1000 }))
      if (keys.length > 0) await cleaner.unlink(keys);
  });
  return name;
}

/** An engine, closed after the test. */
export async function open(t: TestContext, options: Partial<RedisOptions> = {}): Promise<Engine> {
  const engine = await redis({ url: url(), ...options }).open({ platform });
  afterwards(t, () => engine.close());
  return engine;
}

/** What opening is refused with. */
export const refusal = (options: Partial<RedisOptions>): Promise<Error & { code?: string }> =>
  rejection(redis({ url: url(), ...options }).open({ platform }));

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
