import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { Lease, Leases } from "../ports/leases.ts";
import type { State } from "../ports/state.ts";
import type { Timers } from "../ports/timers.ts";
import type { TopicEntry, Topics } from "../ports/topics.ts";
import type { Outcome, Transaction } from "../ports/transaction.ts";
import { type Command, journalTopic } from "./command.ts";
import { Journal } from "./journal.ts";
import { Patience } from "./patience.ts";

/**
 * Makes an engine of a broker that keeps the affairs of its subscriptions in a journal on itself: positions, pauses, claims, leases.
 * Documents and fences commit together; what a transaction publishes is published before, and once more when it must be repeated. So
 * it is good for at-least-once, and `transactions` of its capabilities is false. Closing it closes the broker. Throws
 * TIDINGS_UNSUPPORTED when the broker can neither remove the front of a topic nor bound it.
 */
export function journaledEngine(broker: Engine, platform: Platform): Engine {
  requireJournal(broker);
  const journal = new Journal({ broker, platform });
  const patience = new Patience(platform.clock);
  return {
    name: broker.name,
    address: broker.address,
    capabilities: broker.capabilities,
    topics: withoutJournal(broker.topics),
    state: stateOf(journal),
    timers: timersOf(journal),
    leases: leasesOf(journal),
    transact: transactOf(journal, broker, patience),
    info: async () => ({ ...(await broker.info()), store: "a journal on the broker" }),
    verify: (options) => broker.verify(options),
    trouble: () => journal.trouble() ?? broker.trouble(),
    async close() {
      patience.flush();
      await journal.close();
      await broker.close();
    },
  };
}

/** Whether a broker can keep a journal: it would grow for ever where nothing can be removed from its front. */
export function canKeepJournal(engine: Engine): boolean {
  const { retentionByAge, boundedTopics } = engine.capabilities;
  return engine.transact === undefined && (retentionByAge || boundedTopics);
}

function requireJournal(broker: Engine): void {
  if (canKeepJournal(broker)) return;
  throw new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `The engine "${broker.name}" cannot keep the positions of subscriptions itself: name a store, with the option store or TIDINGS_STORE (sqlite on one machine, postgres for several).`,
    { details: { engine: broker.name } },
  );
}

function withoutJournal(topics: Topics): Topics {
  const showPositions = topics.showPositions?.bind(topics);
  return {
    declare: (specs) => topics.declare(specs),
    list: async () => (await topics.list()).filter(({ name }) => name !== journalTopic),
    find: (name) => topics.find(name),
    publish: (entries, options) => topics.publish(entries, options),
    read: (topic, partition, position, limits) => topics.read(topic, partition, position, limits),
    bounds: (topic) => topics.bounds(topic),
    positionsAt: (topic, timeMs) => topics.positionsAt(topic, timeMs),
    retain: (topic, rule) => topics.retain(topic, rule),
    watch: (topic, listener) => topics.watch(topic, listener),
    ...(showPositions ? { showPositions } : {}),
  };
}

function stateOf(journal: Journal): State {
  return {
    async get(collection, keys) {
      const wanted = [...keys];
      await journal.fresh();
      return wanted.map((key) => journal.replica.get(collection, key));
    },
    async scan(collection, scan) {
      const wanted = { ...scan };
      await journal.fresh();
      return journal.replica.scan(collection, wanted);
    },
    async count(collection, prefix) {
      await journal.fresh();
      return journal.replica.count(collection, prefix);
    },
    watch: (collection, listener) => journal.watch(collection, listener),
  };
}

function leasesOf(journal: Journal): Leases {
  type Held = readonly (Lease | undefined)[];
  return {
    acquire: async (requests) => (await journal.submit({ op: "acquire", requests })) as Held,
    renew: async (leases, ttlMs) => (await journal.submit({ op: "renew", leases, ttlMs })) as Held,
    async release(leases) {
      await journal.submit({ op: "release", leases });
    },
    async list(prefix) {
      await journal.fresh();
      return journal.replica.leases(prefix, journal.nowMs());
    },
  };
}

function timersOf(journal: Journal): Timers {
  const look = async <Result>(of: () => Result): Promise<Result> => {
    await journal.fresh();
    return of();
  };
  return {
    due: (queue, atMs, limit) => look(() => journal.replica.timers.due(queue, atMs, limit)),
    nextDueAt: (queue) => look(() => journal.replica.timers.nextDueAt(queue)),
    find: (queue, key) => look(() => journal.replica.timers.find(queue, key)),
    list: (queue, page) => look(() => journal.replica.timers.list(queue, page)),
  };
}

type Write = Extract<Command, { op: "write" }>;

function transactOf(journal: Journal, broker: Engine, patience: Patience): NonNullable<Engine["transact"]> {
  /** While a transaction publishes, those that were called after it wait. */
  let turn: Promise<unknown> | undefined;
  /** Publishes if the write would be made; the write may still be refused, or its answer be lost, and then the events are there all the same. */
  const publish = async (entries: readonly TopicEntry[], positions: boolean, write: Write): Promise<Outcome> => {
    const conflict = await journal.conflictOf(write);
    if (conflict) return { committed: false, conflict };
    try {
      return { committed: true, appended: await broker.topics.publish(entries, { positions }) };
    } catch (error) {
      if (!isTidingsError(error) || error.code !== "TIDINGS_ID_CONFLICT") throw error;
      return { committed: false, conflict: { kind: "id", index: Number(error.details["index"] ?? 0) } };
    }
  };
  const after = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = (turn ?? Promise.resolve()).then(work);
    const mine: Promise<unknown> = result
      .catch(() => undefined)
      .then(() => {
        if (turn === mine) turn = undefined;
      });
    turn = mine;
    return result;
  };
  const submit = (write: Write, patient = false): Promise<Outcome> =>
    patience.do(() => journal.submit(write) as Promise<Outcome>, patient);
  return async (transaction) => {
    const { publish: entries = [], positions = true, sql = [], patient } = transaction;
    if (sql.length > 0) throw noSql(broker);
    // What the caller does to its objects after the call changes nothing.
    const write = structuredClone(writeOf(transaction));
    if (entries.length === 0 && !turn) return submit(write, patient);
    const sent: { write?: Promise<Outcome> } = {};
    if (entries.length === 0) {
      // In its turn, so that nobody comes between; but the next one need not wait for what comes of it.
      await after(async () => void (sent.write = submit(write, patient)));
      return sent.write as Promise<Outcome>;
    }
    const published = await after(async () => {
      const outcome = await publish(entries, positions, write);
      if (outcome.committed) sent.write = submit(write);
      return outcome;
    });
    const outcome = await sent.write;
    return outcome?.committed === false ? outcome : published;
  };
}

function writeOf({ fences = [], checks = [], documents = [], timers = [] }: Transaction): Write {
  return { op: "write", fences, checks, documents, timers };
}

const noSql = ({ name }: Engine): TidingsError =>
  new TidingsError("TIDINGS_UNSUPPORTED", `SQL of a unit of work needs a store; "${name}" has none.`, {
    details: { engine: name },
  });
