import { TidingsError } from "../errors/tidings-error.ts";
import { recordBytes } from "../event/record.ts";
import type { Capabilities } from "../ports/capabilities.ts";
import type { Engine, EngineInfo, VerifyReport } from "../ports/engine.ts";
import type { TopicEntry, Topics } from "../ports/topics.ts";
import type { Transaction } from "../ports/transaction.ts";
import { outboxPartitions, outboxTopic, rowBytes, rowOf, stampBytes, storesTopic } from "./row.ts";

/** A broker and a store as one engine. */
export interface ComposedEngine extends Engine {
  /** Carries the events. */
  readonly broker: Engine;
  /** Holds state, positions, and what waits to be sent to the broker. */
  readonly store: Engine;
}

/** From the weakest to the strongest. */
const durabilities = ["none", "confirmed", "disk", "replicated"] as const;

/**
 * Makes one engine of a broker and a store. Topics are the broker's, everything else is the store's. What a transaction publishes
 * becomes rows of an outbox in the store, in the same transaction, and a relay sends them to the broker (see `Outbox`). Closing it
 * closes both. `readOnly`: nothing is made where it is missing. Throws TIDINGS_UNSUPPORTED when the store cannot be one,
 * TIDINGS_INVALID_OPTION when both are the same.
 */
export async function composeEngine(
  broker: Engine,
  store: Engine,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): Promise<ComposedEngine> {
  requireStore(broker, store);
  if (!readOnly) await store.topics.declare([{ name: outboxTopic, partitions: outboxPartitions }]);
  const { state, timers, leases } = store;
  const capabilities = composedCapabilities(broker.capabilities, store.capabilities);
  const rowsOf = (entries: readonly TopicEntry[]): TopicEntry[] =>
    entries.map((entry) => {
      checkSize(entry, capabilities.eventBytesMax, broker);
      return rowOf(entry);
    });
  return {
    broker,
    store,
    name: broker.name,
    address: broker.address,
    capabilities,
    topics: topicsOf(broker.topics, store.topics, rowsOf),
    ...(state ? { state } : {}),
    ...(timers ? { timers } : {}),
    ...(leases ? { leases } : {}),
    async transact(transaction: Transaction) {
      const { publish = [] } = transaction;
      const given = publish.length === 0 ? transaction : { ...transaction, publish: rowsOf(publish) };
      return (store.transact as NonNullable<Engine["transact"]>)(given);
    },
    async info() {
      return { ...(await broker.info()), ...asStore(store, await store.info()) };
    },
    verify: (options) => verifyBoth(broker, store, options),
    trouble: () => store.trouble() ?? broker.trouble(),
    async close() {
      const [first, second] = await Promise.allSettled([broker.close(), store.close()]);
      for (const { status, ...rest } of [first, second])
        if (status === "rejected") throw (rest as { reason: unknown }).reason;
    },
  };
}

/** Whether an engine is made of two. */
export function isComposed(engine: Engine): engine is ComposedEngine {
  return "broker" in engine && "store" in engine;
}

function requireStore(broker: Engine, store: Engine): void {
  if (!(store.state && store.leases && store.transact && store.timers && store.capabilities.transactions))
    throw new TidingsError(
      "TIDINGS_UNSUPPORTED",
      `The engine "${store.name}" holds no state in transactions, so it cannot be a store; use sqlite or postgres.`,
      { details: { engine: store.name } },
    );
  if (broker.name === store.name && broker.address === store.address && broker.capabilities.persistent)
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The store is the same ${store.name} at ${store.address} as the broker, which holds state itself: leave the store out.`,
      { details: { engine: store.name } },
    );
  if (broker.capabilities.sharedByProcesses && !store.capabilities.sharedByProcesses)
    throw new TidingsError(
      "TIDINGS_UNSUPPORTED",
      `The engine "${broker.name}" is shared by processes and the store "${store.name}" cannot be: members would not know of each other. Use sqlite on one machine, or postgres.`,
      { details: { engine: store.name } },
    );
}

function composedCapabilities(broker: Capabilities, store: Capabilities): Capabilities {
  const weaker = Math.min(durabilities.indexOf(broker.durability), durabilities.indexOf(store.durability));
  return Object.freeze({
    ...broker,
    durability: durabilities[weaker] ?? "none",
    persistent: broker.persistent && store.persistent,
    sharedByProcesses: broker.sharedByProcesses && store.sharedByProcesses,
    transactions: store.transactions,
    userSql: store.userSql,
    eventBytesMax: Math.min(broker.eventBytesMax - stampBytes, store.eventBytesMax - rowBytes),
  });
}

function topicsOf(broker: Topics, store: Topics, rowsOf: (entries: readonly TopicEntry[]) => TopicEntry[]): Topics {
  const publishIn = store.publishIn?.bind(store);
  const showPositions = broker.showPositions?.bind(broker);
  return {
    declare: (specs) => broker.declare(specs),
    // Which store is whose is no topic of the application's.
    list: async () => (await broker.list()).filter(({ name }) => name !== storesTopic),
    find: (name) => broker.find(name),
    publish: (entries, options) => broker.publish(entries, options),
    read: (topic, partition, position, limits) => broker.read(topic, partition, position, limits),
    bounds: (topic) => broker.bounds(topic),
    positionsAt: (topic, timeMs) => broker.positionsAt(topic, timeMs),
    retain: (topic, rule) => broker.retain(topic, rule),
    watch: (topic, listener) => broker.watch(topic, listener),
    ...(showPositions ? { showPositions } : {}),
    // The user's transaction is one of the store.
    ...(publishIn ? { publishIn: async (handle, entries) => publishIn(handle, rowsOf(entries)) } : {}),
  };
}

/** What the broker would refuse later is refused now, where somebody can mend it. */
function checkSize({ topic, record }: TopicEntry, bytesMax: number, broker: Engine): void {
  const bytes = recordBytes(record);
  if (bytes <= bytesMax) return;
  throw new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event ${record.id} for "${topic}" has ${bytes} bytes; ${broker.name} takes ${bytesMax}.`,
    { details: { topic, event: record.id, bytes, bytesMax } },
  );
}

function asStore(store: Engine, info: EngineInfo): EngineInfo {
  const facts = Object.entries(info).map(([name, value]) => [`store ${name}`, value] as const);
  return { store: store.name, ...Object.fromEntries(facts) };
}

async function verifyBoth(
  broker: Engine,
  store: Engine,
  options: Parameters<Engine["verify"]>[0],
): Promise<VerifyReport> {
  const first = await broker.verify(options);
  const { onProgress, ...rest } = options ?? {};
  const second = await store.verify({
    ...rest,
    ...(onProgress ? { onProgress: (checked: number) => onProgress(first.recordsChecked + checked) } : {}),
  });
  return {
    recordsChecked: first.recordsChecked + second.recordsChecked,
    problems: [
      ...first.problems,
      ...second.problems.map(({ place, problem }) => ({ place: `store ${place}`, problem })),
    ],
  };
}
