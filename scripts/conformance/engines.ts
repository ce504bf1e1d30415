// The engines that the suites run on, and how each is opened on data of its own.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Admin as KafkaAdmin } from "@platformatic/kafka";

import { serviceUrl } from "../services/url.ts";
import { movablePlatform, type Open, type Opened } from "../../src/conformance/index.ts";
import { groupOf } from "../../src/engines/kafka/consumer-groups.ts";
import { memoryWorld } from "../../src/engines/memory/index.ts";
import type { UserSql as PostgresHandle } from "../../src/engines/postgres/index.ts";
import { queueOf, registryOf } from "../../src/engines/rabbitmq/names.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";
import type { TopicSpec } from "../../src/ports/topics.ts";

export const bindings = ["node:sqlite", "better-sqlite3"] as const;
export type Binding = (typeof bindings)[number];

const deduplicationWindowMs = 60_000;

/** Several engines on one memory world. */
export const openMemory: Open = async () => {
  const world = memoryWorld();
  let answersToLose = 0;
  world.fail(({ kind }) => (kind === "publish" && answersToLose-- > 0 ? { fail: "after" } : undefined));
  const opened = await several((context) => world.open(context));
  return {
    ...opened,
    loseNextAnswer() {
      answersToLose = 1;
    },
  };
};

/** A real file in a folder of its own. */
export function openSqlite(binding: Binding): Open {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-conformance-"));
    const path = join(folder, "data.db");
    const { sqlite } = await import("../../src/engines/sqlite/index.ts");
    const opened = await several((context) => sqlite({ path, binding }).open(context));
    return {
      ...opened,
      userSql: {
        synchronous: true,
        exec: (handle, sql) => (handle as SqliteHandle).exec(sql),
        column: (handle, sql) =>
          (handle as SqliteHandle)
            .prepare(sql)
            .all()
            .map((row) => Object.values(row)[0]),
      },
      damage: (topic, partition, position) => damage(opened.engine, { topic, partition, position }),
      async close() {
        await opened.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  };
}

/** Changes a letter of the payload that the record has in its chunk, and not the checksum. */
async function damage(engine: Engine, place: { topic: string; partition: number; position: number }): Promise<void> {
  const { topic, partition, position } = place;
  let changed = 0;
  const change = (handle: unknown): void => {
    const statement = (
      handle as { prepare(sql: string): { run(...values: unknown[]): { changes: number | bigint } } }
    ).prepare(
      `UPDATE tidings_chunk SET body = replace(body, 'xx', 'yx') WHERE id = (
         SELECT chunk.id FROM tidings_chunk AS chunk JOIN tidings_log AS log ON log.id = chunk.log
         WHERE log.topic = ? AND log.partition = ? AND chunk.last >= ? ORDER BY chunk.last LIMIT 1)`,
    );
    changed = Number(statement.run(topic, partition, position).changes);
  };
  await engine.transact?.({ sql: [change] });
  if (changed !== 1) throw new Error("There was no chunk to damage.");
}

/** A schema of its own in the Postgres of `npm run services`, or of TIDINGS_POSTGRES_URL. */
export const openPostgres: Open = async () => {
  const { Client } = (await import("pg")).default;
  const client = new Client({ connectionString: serviceUrl("postgres") });
  await client.connect();
  const schema = `c_${randomUUID().replaceAll("-", "")}`;
  const { postgres } = await import("../../src/engines/postgres/index.ts");
  const opened = await several((context) => postgres({ url: serviceUrl("postgres"), schema }).open(context));
  let ahead = 0;
  return {
    ...opened,
    userSql: {
      synchronous: false,
      exec: (handle, sql) => (handle as PostgresHandle).query(sql),
      async column(handle, sql) {
        const { rows } = await (handle as PostgresHandle).query(sql);
        return rows.map((row) => Object.values(row as object)[0]);
      },
    },
    // The clock is the server's; the others of the cluster keep theirs.
    async pass(ms) {
      ahead += ms;
      await client.query(`CREATE OR REPLACE FUNCTION "${schema}".now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
        $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + ${Math.round(ahead)} $$`);
      await opened.pass?.(ms);
    },
    async damage(topic, partition, position) {
      const { rowCount } = await client.query(
        `UPDATE "${schema}".chunk SET body = replace(body, 'xx', 'yx') WHERE (log, last) IN (
           SELECT c.log, min(c.last) FROM "${schema}".chunk c JOIN "${schema}".log l ON l.id = c.log JOIN "${schema}".topic t ON t.id = l.topic
           WHERE t.name = $1 AND l.partition = $2 AND c.last >= $3 GROUP BY c.log)`,
        [topic, partition, position],
      );
      if (rowCount !== 1) throw new Error("There was no chunk to damage.");
    },
    async close() {
      await opened.close();
      await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      await client.end();
    },
  };
};

/** A prefix of its own in the Redis of `npm run services`, or of TIDINGS_REDIS_SYNCED_URL. */
export const openRedis: Open = async () => {
  const { createClient } = await import("@redis/client");
  const client = createClient({ url: serviceUrl("redis-synced") });
  await client.connect();
  const prefix = `c_${randomUUID()}`;
  const { redis } = await import("../../src/engines/redis/index.ts");
  // The clock is the server's: time passes in earnest.
  const windowMs = 3000;
  const platform = systemPlatform();
  const context = { platform, deduplicationWindowMs: windowMs };
  const opened = await several(() => redis({ url: serviceUrl("redis-synced"), prefix }).open(context));
  return {
    ...opened,
    platform,
    deduplicationWindowMs: windowMs,
    pass: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
    async damage(topic, partition, position) {
      const stream = `{${prefix}}:log:${topic}:${partition}`;
      const message = (await client.xRange(stream, "-", "+"))?.[position]?.message ?? {};
      const fields = Object.entries({ ...message, data: `y${message["data"]?.slice(1)}` }).flat();
      // An entry cannot be changed: the stream is written anew with a changed one.
      const script = `local all = redis.call('XRANGE', KEYS[1], '-', '+') redis.call('DEL', KEYS[1])
        for n, entry in ipairs(all) do redis.call('XADD', KEYS[1], entry[1], unpack(n == tonumber(ARGV[1]) and { unpack(ARGV, 2) } or entry[2])) end`;
      await client.eval(script, { keys: [stream], arguments: [String(position + 1), ...fields] });
    },
    async close() {
      await opened.close();
      await removeAll(client, prefix);
      client.destroy();
    },
  };
};

/** A prefix of its own in the NATS of `npm run services`, or of TIDINGS_NATS_URL. The clock is the server's, so cases wait. */
export const openNats: Open = async () => {
  const prefix = `c-${randomUUID().replaceAll("-", "").slice(0, 24)}`;
  const { nats } = await import("../../src/engines/nats/index.ts");
  const url = serviceUrl("nats");
  const opened = await several((context) => nats({ url, prefix, durability: "weak" }).open(context));
  return {
    engine: opened.engine,
    platform: opened.platform,
    second: () => opened.second(),
    reopen: () => opened.reopen(),
    async close() {
      await opened.close();
      await removeStreams(url, prefix);
    },
  };
};

/** A prefix of its own in the RabbitMQ of `npm run services`, or of TIDINGS_RABBITMQ_URL. Each publisher has its own clock, so cases wait. */
export const openRabbitmq: Open = async () => {
  const prefix = `c-${randomUUID().replaceAll("-", "").slice(0, 24)}`;
  const { rabbitmq } = await import("../../src/engines/rabbitmq/index.ts");
  const url = serviceUrl("rabbitmq");
  const opened = await several((context) => rabbitmq({ url, prefix, durability: "weak" }).open(context));
  return {
    engine: opened.engine,
    platform: opened.platform,
    second: () => opened.second(),
    reopen: () => opened.reopen(),
    async close() {
      // The first one may be closed.
      const topics = await (await opened.second()).topics.list();
      await opened.close();
      await removeQueues(url, prefix, topics);
    },
  };
};

/** A prefix of its own in the Kafka of `npm run services`, or of TIDINGS_KAFKA_URL. The clock is the broker's, so cases wait. */
export const openKafka: Open = async () => {
  const prefix = `c-${randomUUID().replaceAll("-", "").slice(0, 24)}-`;
  const { kafka } = await import("../../src/engines/kafka/index.ts");
  const url = serviceUrl("kafka");
  const opened = await several((context) => kafka({ url, prefix, durability: "weak" }).open(context));
  return {
    engine: opened.engine,
    platform: opened.platform,
    namesLimited:
      "topics that differ in dot and underscore are one for Kafka, and the prefix takes from 249 characters",
    second: () => opened.second(),
    reopen: () => opened.reopen(),
    shownPositions: (subscription, topic) =>
      withAdmin(url, (admin) => offsetsOf(admin, groupOf(subscription, { groupPrefix: prefix }), prefix + topic)),
    async close() {
      await opened.close();
      await removeTopics(url, prefix);
    },
  };
};

/** By partition, what is committed for a group of consumers. */
export async function offsetsOf(admin: KafkaAdmin, group: string, topic: string): Promise<Map<number, number>> {
  const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
  const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? [];
  return new Map(partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]));
}

/** Removes the streams of these topics, and the one in which they are declared. */
export async function removeQueues(url: string, prefix: string, topics: readonly TopicSpec[]): Promise<void> {
  const { connect } = await import("amqplib");
  const connection = await connect(url);
  const channel = await connection.createChannel();
  for (const { name, partitions } of topics)
    for (let partition = 0; partition < partitions; partition++)
      await channel.deleteQueue(queueOf(prefix, name, partition));
  await channel.deleteQueue(registryOf(prefix));
  await connection.close();
}

/** Removes every topic of the prefix. */
export async function removeTopics(url: string, prefix: string): Promise<void> {
  await withAdmin(url, async (admin) => {
    const topics = (await admin.listTopics()).filter((name) => name.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  });
}

async function withAdmin<Answer>(url: string, act: (admin: KafkaAdmin) => Promise<Answer>): Promise<Answer> {
  const { Admin } = await import("@platformatic/kafka");
  const { username, password, host } = new URL(url);
  const sasl = username === "" ? {} : { sasl: { mechanism: "SCRAM-SHA-512" as const, username, password } };
  const admin = new Admin({ clientId: "tidings-tests", bootstrapBrokers: [host], ...sasl });
  try {
    return await act(admin);
  } finally {
    await admin.close();
  }
}

/** Removes the keys of a prefix, some at a time. */
async function removeAll(client: RedisClient, prefix: string): Promise<void> {
  for await (const keys of client.scanIterator({ MATCH: `{${prefix}}:*`, COUNT: 1000 }))
    if (keys.length > 0) await client.unlink(keys);
}

interface RedisClient {
  scanIterator(options: { MATCH: string; COUNT: number }): AsyncIterable<string[]>;
  unlink(keys: string[]): Promise<number>;
}

/** Removes every stream of the prefix. */
export async function removeStreams(url: string, prefix: string): Promise<void> {
  const { connect } = await import("@nats-io/transport-node");
  const { username: user, password: pass, host } = new URL(url);
  const client = await connect({ servers: host, user, pass });
  const ask = async (subject: string, body: object = {}): Promise<{ streams?: string[] }> =>
    (await client.request(`$JS.API.${subject}`, JSON.stringify(body), { timeout: 10_000 })).json();
  try {
    for (const subject of [`${prefix}.>`])
      for (
        let names = await ask("STREAM.NAMES", { subject });
        names.streams?.length;
        names = await ask("STREAM.NAMES", { subject })
      )
        // prettier-ignore
        await Promise.all(names.streams.slice(0, 100).map((name) => ask(`STREAM.DELETE.${name}`)));
  } finally {
    await client.close();
  }
}

interface SqliteHandle {
  exec(sql: string): unknown;
  prepare(sql: string): { all(): object[] };
}

/** Every engine there is so far. */
export const engines = {
  memory: (_binding: Binding): Open => openMemory,
  sqlite: openSqlite,
  postgres: (_binding: Binding): Open => openPostgres,
  redis: (_binding: Binding): Open => openRedis,
  nats: (_binding: Binding): Open => openNats,
  rabbitmq: (_binding: Binding): Open => openRabbitmq,
  kafka: (_binding: Binding): Open => openKafka,
} as const;

/** What is the same for all engines that live in this process: each call of `open` gives one more on the same data. */
async function several(
  open: (context: EngineContext) => Promise<Engine>,
): Promise<Opened & Required<Pick<Opened, "second" | "reopen">>> {
  const platform = movablePlatform();
  const context = { platform, deduplicationWindowMs };
  const first = await open(context);
  const all = [first];
  const another = async (): Promise<Engine> => {
    const engine = await open(context);
    all.push(engine);
    return engine;
  };
  return {
    engine: first,
    platform,
    deduplicationWindowMs,
    second: another,
    async reopen() {
      await first.close();
      return another();
    },
    pass: async (ms) => platform.jump(ms),
    async close() {
      for (const engine of all.toReversed()) await engine.close();
    },
  };
}
