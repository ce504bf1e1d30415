import type { Engine } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";
import { checkSpec } from "../sql/topics.ts";
import { sqliteCapabilities } from "./capabilities.ts";
import type { Store } from "./engine.ts";
import type { callsOf } from "./members.ts";
import { readerOf } from "./reader.ts";

type Calls = ReturnType<typeof callsOf>;

/** The ports of an open engine. */
export function portsOf(
  store: Store,
  calls: Calls,
): Required<Pick<Engine, "topics" | "state" | "timers" | "leases" | "transact">> {
  const { read, writer } = store;
  const { documents, timers, leases } = writer;
  const now = (): number => store.context.platform.clock.now();
  const write = async <Result>(fn: () => Promise<Result>): Promise<Result> => {
    store.check(true);
    return fn();
  };
  return {
    topics: topicsOf(store, calls),
    transact: (transaction) => write(() => calls.transact(transaction)),
    state: {
      get: (collection, keys) => {
        const wanted = [...keys];
        return read(() => wanted.map((key) => documents.get(collection, key)));
      },
      scan: (collection, scan) => read(() => documents.scan(collection, scan)),
      count: (collection, prefix = "") => read(() => documents.count(collection, prefix)),
      watch: (collection, listener) => store.wake.watchCollection(collection, listener),
    },
    timers: {
      due: (queue, atMs, limit) => read(() => timers.due(queue, atMs, limit)),
      nextDueAt: (queue) => read(() => timers.nextDueAt(queue)),
      find: (queue, key) => read(() => timers.find(queue, key)),
      list: (queue, { after, limit }) => read(() => timers.list(queue, after, limit)),
    },
    leases: {
      acquire: (requests) => write(() => calls.acquire(requests)),
      renew: (held, ttlMs) => write(() => calls.renew(held, ttlMs)),
      release: (held) => write(() => calls.release(held)),
      list: (prefix) => read(() => leases.list(prefix, now())),
    },
  };
}

function topicsOf(store: Store, calls: Calls): Topics {
  const { read, logs, maintenance } = store;
  const reader = readerOf(store.file.connection, logs, store.heads);
  const now = (): number => store.context.platform.clock.now();
  return {
    async declare(specs) {
      store.check(true);
      const copies = specs.map((spec) => checkSpec(spec, sqliteCapabilities.partitionsMax));
      const missing = await read(() =>
        copies.some(({ name, partitions }) => logs.find(name)?.partitions !== partitions),
      );
      if (missing) await calls.declare(copies, now);
    },
    list: () => read(() => logs.list()),
    find: (name) =>
      read(() => {
        const found = logs.find(name);
        return found && { name: found.name, partitions: found.partitions };
      }),
    // Not an async function: each more of them costs every publish a promise.
    publish(entries) {
      try {
        store.check(true);
        return entries.length === 0 ? Promise.resolve([]) : calls.publish(entries);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    read: (topic, partition, position, limits) => read(() => reader.read(topic, partition, position, limits)),
    bounds: (topic) => read(() => reader.bounds(topic)),
    positionsAt: (topic, timeMs) => read(() => reader.positionsAt(topic, timeMs)),
    async retain(topic, rule) {
      store.check(true);
      const ids = await read(() => logs.topic(topic).logs);
      return maintenance.retain(ids, rule);
    },
    watch: (topic, listener) => store.wake.watchTopic(topic, listener),
  };
}
