// The shop on each broker with a store apart, while the broker is killed and started again under it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { serviceUrl } from "../../scripts/services/url.ts";
import { engineOfUrl } from "../../src/app/engines.ts";
import { systemPlatform } from "../../src/platform/system.ts";
import type { Engine } from "../../src/ports/engine.ts";
import type { Topics } from "../../src/ports/topics.ts";
import * as kafka from "../engines/kafka/support.ts";
import * as nats from "../engines/nats/support.ts";
import { schema, withoutPostgres } from "../engines/postgres/support.ts";
import * as rabbitmq from "../engines/rabbitmq/support.ts";
import { OwnServer } from "../engines/redis/server.ts";
import { withoutRedis } from "../engines/redis/support.ts";
import { afterwards } from "../lib/afterwards.ts";
import { runShop, temporaryFolder } from "./shop.ts";

interface Server {
  readonly url: string;
  /** By SIGKILL. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

interface Broker {
  readonly name: string;
  readonly skip: string | false;
  /** Starts one of the test's own. */
  readonly start: (t: TestContext) => Promise<Server>;
  readonly query: string;
  readonly stores: readonly Store[];
}

type Store = "SQLite" | "Postgres";

/** It is killed when so much of all events is there: the feed still publishes at first, and then waits until all is handled. */
const shares = [0.25, 0.8];
/** Nothing is lost of what a killed server has told the kernel. */
const weak = "?durability=weak";
/** Servers that take seconds to start are away for longer than a publish waits. */
const impatient = `${weak}&busyTimeoutMs=2000`;

const brokers: readonly Broker[] = [
  { name: "Redis", skip: withoutRedis, start: (t) => OwnServer.start(t), query: "", stores: ["SQLite"] },
  { name: "NATS", skip: nats.withoutNats, start: (t) => nats.ownServer(t), query: weak, stores: ["SQLite", "Postgres"] },
  { name: "Kafka", skip: kafka.withoutKafka, start: (t) => kafka.ownServer(t, () => kafka.quick), query: impatient, stores: ["SQLite"] },
  { name: "RabbitMQ", skip: rabbitmq.withoutRabbitmq, start: (t) => rabbitmq.ownServer(t), query: impatient, stores: ["SQLite"] },
]; // prettier-ignore

const orders = ["--orders", "300"];

for (const { name, stores, ...broker } of brokers) {
  for (const store of stores) {
    const skip = broker.skip || (store === "Postgres" && withoutPostgres);
    const title = `the shop on ${name} and ${store} prints the figures of the shop on a file, though ${name} is killed twice meanwhile`;
    test(title, { skip, timeout: 120_000 }, async (t) => {
      const onFile = await runShop(t, temporaryFolder(t), orders);
      const server = await broker.start(t);
      const url = `${server.url}${broker.query}`;
      const folder = temporaryFolder(t);
      const shop = { isOver: false };
      const running = runShop(t, folder, ["--url", url, ...orders], { TIDINGS_STORE: await urlOf(t, store, folder) });
      const ended = running.finally(() => (shop.isOver = true));
      const counts = shares.map((share) => share * (onFile["published"] as number));
      const [onBroker] = await Promise.all([ended, killAt(t, server, url, counts, shop)]);
      assert.deepEqual(onBroker, onFile);
    });
  }
}

async function urlOf(t: TestContext, store: Store, folder: string): Promise<string> {
  if (store === "SQLite") return `sqlite:${join(folder, "store.db")}`;
  const url = new URL(serviceUrl("postgres"));
  url.searchParams.set("schema", await schema(t));
  return url.href;
}

/** Kills the server and starts it again whenever so many events stand in it: the shop publishes and handles the others then. */
async function killAt(
  t: TestContext,
  server: Server,
  url: string,
  counts: readonly number[],
  shop: { readonly isOver: boolean },
): Promise<void> {
  const factory = await engineOfUrl(url, { readOnly: true });
  const mustRun = (): void => {
    if (shop.isOver) throw new Error("The shop ended before the broker was killed.");
  };
  const open = (): Promise<Engine | undefined> => factory.open({ platform: systemPlatform() }).catch(() => undefined);
  let engine = await open();
  // Nothing is there yet.
  for (; !engine; engine = await open()) mustRun();
  const { topics } = engine;
  afterwards(t, () => engine.close());
  for (const count of counts) {
    while ((await eventsIn(topics)) < count) mustRun();
    await server.kill();
    mustRun();
    await server.start();
  }
}

const names = ["orders", "payments", "stock", "shipments", "messages", "feed"];

/** How many events there are; 0 while that cannot be told. */
async function eventsIn(topics: Topics): Promise<number> {
  try {
    const bounds = await Promise.all(names.map((name) => topics.bounds(name)));
    return bounds.flat().reduce((sum, { next }) => sum + next, 0);
  } catch {
    return 0;
  }
}
