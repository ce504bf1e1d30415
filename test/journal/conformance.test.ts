// The suites on a journal over a broker that carries topics and nothing else: state, timers, leases and transactions are the journal's.
import test from "node:test";

import { openKafka, openMemory, openNats, openRabbitmq, openRedis } from "../../scripts/conformance/engines.ts";
import { type Open, type Opened, runSuites, suites } from "../../src/conformance/index.ts";
import { journaledEngine } from "../../src/journal/journaled.ts";
import type { Engine } from "../../src/ports/engine.ts";
import { withoutKafka } from "../engines/kafka/support.ts";
import { withoutNats } from "../engines/nats/support.ts";
import { withoutRabbitmq } from "../engines/rabbitmq/support.ts";
import { withoutRedis } from "../engines/redis/support.ts";
import { topicsOnly } from "./broker.ts";

/** So that the cases of transactions run: all of it commits together but for what is published. */
const asStore = (engine: Engine): Engine => ({
  ...engine,
  capabilities: Object.freeze({ ...engine.capabilities, transactions: true, userSql: false }),
});

/** A journal over each engine that the factory opens. */
const onJournal =
  (open: Open): Open =>
  async () => {
    const opened = await open();
    const { platform } = opened;
    const wrap = (engine: Engine): Engine => asStore(journaledEngine(topicsOnly(engine), platform));
    const made: Engine[] = [];
    const also = async (engine: Promise<Engine>): Promise<Engine> => {
      const wrapped = wrap(await engine);
      made.push(wrapped);
      return wrapped;
    };
    const engine = wrap(opened.engine);
    return {
      engine,
      platform,
      ...(opened.pass ? { pass: (ms: number) => opened.pass!(ms) } : {}),
      ...(opened.second ? { second: () => also(opened.second!()) } : {}),
      async reopen() {
        await engine.close();
        return also(opened.reopen!());
      },
      async close() {
        for (const each of [...made, engine]) await each.close();
        await opened.close();
      },
    } satisfies Opened;
  };

/**
 * What does not hold: a transaction publishes before it commits, so events stay of one that is refused in the end, stand behind those
 * of a later publish, and are seen before its documents.
 */
const others = new Set([
  "transactions and publishes that nobody waits for commit in the order of the calls",
  "transactions that race for one counter lose no update",
  "transactions at several handles that race for one counter lose no update",
  "what one transaction writes becomes visible at once to readers of documents and topics",
  "what one transaction writes becomes visible at once to readers at another handle",
  // It does not fit into a message of NATS.
  "a value of 1 MiB comes back, alone and in a scan",
]);
const own = suites
  .filter(({ port }) => port !== "topics")
  .map((suite) => ({ ...suite, cases: suite.cases.filter(({ name }) => !others.has(name)) }));
const suitesOn = (name: string, open: Open, ports?: readonly string[]): void =>
  runSuites({
    test: (title, run) => test(`${name}: ${title}`, run),
    open: onJournal(open),
    suites: own.filter(({ port }) => ports?.includes(port) ?? true),
  });
/** Where time is the server's the cases of members wait for it, for minutes. */
const quick = ["state", "leases", "transact"];

suitesOn("memory", openMemory);
if (withoutNats) test("a journal on NATS", { skip: withoutNats }, () => undefined);
else suitesOn("NATS", openNats, quick);
if (withoutRedis) test("a journal on Redis", { skip: withoutRedis }, () => undefined);
else suitesOn("Redis", openRedis, quick);
if (withoutKafka) test("a journal on Kafka", { skip: withoutKafka }, () => undefined);
else suitesOn("Kafka", openKafka, quick);
if (withoutRabbitmq) test("a journal on RabbitMQ", { skip: withoutRabbitmq }, () => undefined);
else suitesOn("RabbitMQ", openRabbitmq, quick);
