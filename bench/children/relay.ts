// Sends what waits in an outbox on PostgreSQL to Redis, by the relay of tidings or by a loop as it is written by hand; says how
// fast that went. Both leave the same events in the same streams' worth of fields, synced before they are noted as sent.
import { createClient } from "@redis/client";
import { Client } from "pg";

import { partitionOf } from "../../src/event/partitioner.ts";
import { postgresFromUrl } from "../../src/engines/postgres/factory.ts";
import { redisFromUrl } from "../../src/engines/redis/factory.ts";
import { composeEngine } from "../../src/outbox/composed.ts";
import { Outbox } from "../../src/outbox/outbox.ts";
import { unsent } from "../../src/outbox/sweep.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import { answer, taskOf } from "../lib/child.ts";
import { orderOf } from "../lib/payload.ts";

export interface RelayTask {
  readonly peer: "tidings" | "bare";
  /** A database of its own. */
  readonly url: string;
  readonly redisUrl: string;
  readonly events: number;
  readonly keys: number;
}

export interface RelayResult {
  readonly eventsPerSecond: number;
}

const partitions = 4;
const pageMax = 512;
const topic = "bench";
const platform = systemPlatform();
const silent = { info() {}, warn() {}, error() {} };

const { peer, url, redisUrl, events, keys } = taskOf<RelayTask>();
const tookMs = await (peer === "tidings" ? byRelay() : byHand());
answer({ eventsPerSecond: (events / tookMs) * 1000 } satisfies RelayResult);

function recordOf(n: number) {
  const order = orderOf(n, keys);
  const timeMs = Date.now();
  return {
    id: platform.ids.next(),
    source: "/bench",
    type: "bench.order.placed",
    timeMs,
    key: order.orderId,
    attributes: undefined,
    data: JSON.stringify(order),
  };
}

async function byRelay(): Promise<number> {
  const prefix = `bench-${platform.ids.next()}`;
  const broker = await redisFromUrl(`${redisUrl}?prefix=${prefix}`).open({ platform });
  const engine = await composeEngine(broker, await postgresFromUrl(url).open({ platform }));
  await engine.topics.declare([{ name: topic, partitions }]);
  for (let n = 0; n < events; n += 500) {
    const publish = Array.from({ length: Math.min(500, events - n) }, (_, i) => {
      const record = recordOf(n + i);
      return { topic, partition: partitionOf(record.key, partitions), record };
    });
    await engine.transact?.({ publish });
  }
  const outbox = new Outbox({ engine, platform, log: silent, memberId: "bench", ttlMs: 10_000 });
  const began = performance.now();
  await outbox.start();
  while ((await unsent(engine.store)) > 0) await new Promise((wake) => setTimeout(wake, 2));
  const tookMs = performance.now() - began;
  await outbox.stop();
  await engine.close();
  return tookMs;
}

/** Reads a page in the order of the rows, sends it in one pipeline, notes how far it is, and so on. */
async function byHand(): Promise<number> {
  const store = new Client(url);
  const broker = createClient({ url: redisUrl, RESP: 2 });
  await Promise.all([store.connect(), broker.connect()]);
  await store.query(`CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partition int NOT NULL,
    id text NOT NULL, source text NOT NULL, type text NOT NULL, time text NOT NULL, key text NOT NULL, data text NOT NULL);
    CREATE TABLE relay (position bigint NOT NULL); INSERT INTO relay VALUES (0)`);
  for (let n = 0; n < events; n += 500) {
    const rows = Array.from({ length: Math.min(500, events - n) }, (_, i) => recordOf(n + i));
    const column = (of: (row: (typeof rows)[number]) => string | number) => rows.map(of);
    await store.query(
      `INSERT INTO outbox (partition, id, source, type, time, key, data) SELECT * FROM
        unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])`,
      [
        column(({ key }) => partitionOf(key, partitions)),
        column(({ id }) => id),
        column(({ source }) => source),
        column(({ type }) => type),
        column(({ timeMs }) => new Date(timeMs).toISOString()),
        column(({ key }) => key),
        column(({ data }) => data),
      ],
    );
  }
  const stream = `bench-${platform.ids.next()}`;
  const began = performance.now();
  for (let position = "0"; ;) {
    const { rows } = await store.query<
      Record<"position" | "id" | "source" | "type" | "time" | "key" | "data", string> & { partition: number }
    >({
      name: "page",
      text: "SELECT * FROM outbox WHERE position > $1 ORDER BY position LIMIT $2",
      values: [position, pageMax],
    });
    if (rows.length === 0) break;
    await Promise.all(
      rows.map(({ partition, id, source, type, time, key, data }) =>
        broker.xAdd(`${stream}:${partition}`, "*", {
          "ce_specversion": "1.0", "ce_id": id, "ce_source": source, "ce_type": type, "ce_time": time, "ce_partitionkey": key, data,
        }),
      ),
    ); // prettier-ignore
    position = rows.at(-1)?.position as string;
    await store.query({ name: "note", text: "UPDATE relay SET position = $1", values: [position] });
  }
  const tookMs = performance.now() - began;
  await broker.del(Array.from({ length: partitions }, (_, partition) => `${stream}:${partition}`));
  await Promise.all([store.end(), broker.close()]);
  return tookMs;
}
