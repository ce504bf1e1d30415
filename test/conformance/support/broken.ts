// Engines with one planted fault each: what the suites must catch.
import { openMemory } from "../../../scripts/conformance/engines.ts";
import type { Open } from "../../../src/conformance/index.ts";
import { TidingsError } from "../../../src/errors/tidings-error.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import type { Leases } from "../../../src/ports/leases.ts";
import type { State } from "../../../src/ports/state.ts";
import type { Timers } from "../../../src/ports/timers.ts";
import type { Topics } from "../../../src/ports/topics.ts";
import type { Transaction } from "../../../src/ports/transaction.ts";

type Break = (engine: Engine) => Engine;

/** The memory engine with every handle broken in the same way. */
export function openBroken(breakIt: Break): Open {
  return async () => {
    const opened = await openMemory();
    return {
      ...opened,
      engine: breakIt(opened.engine),
      second: async () => breakIt(await opened.second!()),
      reopen: async () => breakIt(await opened.reopen!()),
      shownPositions: async (subscription, topic) => shown.get(`${subscription} ${topic}`) ?? new Map(),
    };
  };
}

const topics =
  (change: (topics: Topics, engine: Engine) => Partial<Topics>): Break =>
  (engine) => ({ ...engine, topics: { ...engine.topics, ...change(engine.topics, engine) } });
const state =
  (change: (state: State) => Partial<State>): Break =>
  (engine) => ({ ...engine, state: { ...engine.state!, ...change(engine.state!) } });
const timers =
  (change: (timers: Timers) => Partial<Timers>): Break =>
  (engine) => ({ ...engine, timers: { ...engine.timers!, ...change(engine.timers!) } });
const leases =
  (change: (leases: Leases) => Partial<Leases>): Break =>
  (engine) => ({ ...engine, leases: { ...engine.leases!, ...change(engine.leases!) } });
/** Applies another transaction than was asked for. */
const transact =
  (change: (transaction: Transaction) => Transaction): Break =>
  (engine) => ({ ...engine, transact: (transaction) => engine.transact!(change(transaction)) });
/** Serves other records than are there. */
const served = (change: (record: Record<string, unknown>) => Record<string, unknown>): Break =>
  topics((port) => ({
    async read(...asked) {
      const page = await port.read(...asked);
      return { ...page, records: page.records.map((record) => change({ ...record })) as never };
    },
  }));

const without = <Value extends object>(value: Value, name: keyof Value): Value =>
  Object.fromEntries(Object.entries(value).filter(([field]) => field !== name)) as Value;

/** What an engine has shown, by subscription and topic. */
const shown = new Map<string, Map<number, number>>();
/** Shows positions, of another subscription, topic or place than it is told. */
const showing =
  (change: (place: string, position: number, before: number) => readonly [string, number]): Break =>
  (engine) => ({
    ...topics((port) => ({
      async showPositions(subscription, topic, positions) {
        if (!(await port.find(topic))) throw new TidingsError("TIDINGS_NOT_FOUND", "There is no such topic.");
        for (const { partition, position } of positions) {
          if (partition >= (await port.find(topic))!.partitions) throw new TidingsError("TIDINGS_NOT_FOUND", "No.");
          const place = `${subscription} ${topic}`;
          const [other, moved] = change(place, position, shown.get(place)?.get(partition) ?? 0);
          shown.set(other, (shown.get(other) ?? new Map<number, number>()).set(partition, moved));
        }
      },
    }))(engine),
    capabilities: Object.freeze({ ...engine.capabilities, showsPositions: true }),
  });

let published = 0;
let odd = false;

/** By fault, the suites that shall catch it and what makes it. */
export const faults: Readonly<Record<string, readonly [port: string, Break]>> = {
  "drops every tenth event": [
    "topics",
    topics((port) => ({
      async publish(entries) {
        const kept = entries.filter(() => ++published % 10 !== 0);
        const appended = await port.publish(kept);
        return entries.map((_, i) => appended[i] ?? { position: i, duplicate: false });
      },
    })),
  ],
  "shows no position that is earlier than the last one": [
    "topics",
    showing((place, position, before) => [place, Math.max(position, before)]),
  ],
  "shows a position for another subscription than it was told": [
    "topics",
    showing((place, position) => [place.replace(/^s-.*\//, "s/"), position]),
  ],
  "swaps two events of a page": [
    "topics",
    topics((port) => ({
      async read(...asked) {
        const page = await port.read(...asked);
        const [first, second, ...rest] = page.records;
        if (!first || !second) return page;
        const swapped = [{ ...second, position: first.position }, { ...first, position: second.position }, ...rest];
        return { ...page, records: swapped };
      },
    })),
  ],
  "acknowledges events whose positions nobody asks for before they are stored": [
    "topics",
    topics((port) => ({
      async publish(entries, options) {
        const appended = port.publish(entries);
        if (options?.positions !== false) return appended;
        appended.catch(() => undefined);
        return entries.map(() => ({ position: -1, duplicate: false }));
      },
    })),
  ],
  "lets every second publish wait": [
    "topics",
    topics((port, engine) => ({
      async publish(entries) {
        odd = !odd;
        if (odd) await engine.topics.list();
        return port.publish(entries);
      },
    })),
  ],
  "appends the entries of a batch one by one": [
    "topics",
    topics((port) => ({
      publish: async (entries) => (await Promise.all(entries.map((entry) => port.publish([entry])))).flat(),
    })),
  ],
  "acknowledges before it has written": [
    "topics",
    topics((port) => ({
      async publish(entries) {
        void port.publish(entries).catch(() => undefined);
        return entries.map((_, position) => ({ position, duplicate: false }));
      },
    })),
  ],
  "reads JSON and writes it anew": [
    "topics",
    served((record) => {
      try {
        return { ...record, data: JSON.stringify(JSON.parse(record["data"] as string)) };
      } catch {
        return record;
      }
    }),
  ],
  "takes no key for an empty key": ["topics", served((record) => ({ ...record, key: record["key"] ?? "" }))],
  "takes no payload for an empty one": ["topics", served((record) => ({ ...record, data: record["data"] ?? "" }))],
  "gives bytes back as text": [
    "topics",
    served((record) => ({
      ...record,
      data: record["data"] instanceof Uint8Array ? new TextDecoder().decode(record["data"]) : record["data"],
    })),
  ],
  "cuts text at NUL": [
    "topics",
    served((record) => ({
      ...record,
      data: typeof record["data"] === "string" ? record["data"].split("\0")[0] : record["data"],
    })),
  ],
  "loses attributes": ["topics", served((record) => ({ ...record, attributes: undefined }))],
  "does not check ids": [
    "topics",
    topics((port) => ({
      publish: (entries) => port.publish(entries.map((entry) => without(entry, "checkId"))),
    })),
  ],
  "accepts events above its limit": [
    "topics",
    (engine) => ({
      ...engine,
      capabilities: Object.freeze({ ...engine.capabilities, eventBytesMax: 1000 }),
    }),
  ],
  "retains without a look at the floor": [
    "topics",
    topics((port) => ({
      retain: (topic, rule) => port.retain(topic, without(rule, "floor")),
    })),
  ],
  "says nothing of what is lost": [
    "topics",
    topics((port) => ({
      read: async (...asked) => ({ ...(await port.read(...asked)), lost: 0 }),
    })),
  ],
  "says too soon that a page is the end": [
    "topics",
    topics((port) => ({
      read: async (...asked) => ({ ...(await port.read(...asked)), end: true }),
    })),
  ],
  "goes past the end of a partition": [
    "topics",
    topics((port) => ({
      async read(...asked) {
        const page = await port.read(...asked);
        return { ...page, next: page.next + (page.records.length === 0 ? 1 : 0) };
      },
    })),
  ],
  "tells a listener of the wrong partition": [
    "topics",
    topics((port) => ({ watch: (topic, listener) => port.watch(topic, () => listener(0)) })),
  ],
  "never calls a listener": ["topics", topics(() => ({ watch: () => () => undefined }))],
  "goes on calling a listener that stopped": [
    "topics",
    topics((port) => ({
      watch: (topic, listener) => {
        port.watch(topic, listener);
        return () => undefined;
      },
    })),
  ],
  "ignores checks": ["transact", transact((transaction) => without(transaction, "checks"))],
  "ignores fences": ["transact", transact((transaction) => without(transaction, "fences"))],
  "ignores fences under members": ["membership", transact((transaction) => without(transaction, "fences"))],
  "writes documents and publishes in two transactions": [
    "transact",
    (engine) => ({
      ...engine,
      async transact({ publish = [], ...rest }) {
        const outcome = await engine.transact!(rest);
        if (!outcome.committed) return outcome;
        return { committed: true, appended: await engine.topics.publish(publish) };
      },
    }),
  ],
  "names the wrong index in a conflict": [
    "transact",
    (engine) => ({
      ...engine,
      async transact(transaction) {
        const outcome = await engine.transact!(transaction);
        return outcome.committed ? outcome : { ...outcome, conflict: { ...outcome.conflict, index: 0 } };
      },
    }),
  ],
  "answers about ids of transactions with an error": [
    "transact",
    (engine) => ({
      ...engine,
      async transact(transaction) {
        const outcome = await engine.transact!(transaction);
        if (!outcome.committed && outcome.conflict.kind === "id") throw new Error("conflict");
        return outcome;
      },
    }),
  ],
  "returns timers a second early": [
    "timers",
    timers((port) => ({ due: (queue, atMs, limit) => port.due(queue, atMs + 1000, limit) })),
  ],
  "cancels timers whatever their version": [
    "timers",
    transact((transaction) => ({
      ...transaction,
      timers: (transaction.timers ?? []).map((write) => without(write, "version")),
    })),
  ],
  "returns due timers in key order": [
    "timers",
    timers((port) => ({
      due: async (...asked) => (await port.due(...asked)).toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    })),
  ],
  "gives every lease the same token": [
    "leases",
    leases((port) => ({
      acquire: async (requests) => (await port.acquire(requests)).map((lease) => lease && { ...lease, token: 1 }),
    })),
  ],
  "gives a lease to whoever asks": [
    "leases",
    leases((port) => ({
      async acquire(requests) {
        for (const { name } of requests) await port.release(await port.list(name));
        return port.acquire(requests);
      },
    })),
  ],
  "takes partitions from their owners": [
    "membership",
    leases((port) => ({
      async acquire(requests) {
        const names = requests.map(({ name }) => name).filter((name) => name.startsWith("partition/"));
        for (const name of names) await port.release(await port.list(name));
        return port.acquire(requests);
      },
      list: async (prefix) => (prefix.startsWith("partition/") ? [] : port.list(prefix)),
    })),
  ],
  "lists leases that nobody holds": [
    "leases",
    leases((port) => ({
      list: async (prefix) => [
        ...(await port.list(prefix)),
        { name: `${prefix}~`, owner: "", token: 1, expiresAtMs: 0 },
      ],
    })),
  ],
  "takes % and _ in a prefix for wildcards": [
    "state",
    state((port) => ({
      async scan(collection, { prefix = "", ...rest }) {
        const escaped = prefix.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
        const like = new RegExp(`^${escaped.replaceAll("%", ".*").replaceAll("_", ".")}`, "s");
        return (await port.scan(collection, { ...rest, limit: 100_000 }))
          .filter(({ key }) => like.test(key))
          .slice(0, rest.limit);
      },
    })),
  ],
  "starts a scan at the key it shall start after": [
    "state",
    state((port) => ({
      async scan(collection, { after, ...rest }) {
        const [same] = after === undefined ? [] : await port.scan(collection, { prefix: after, limit: 1 });
        const page = await port.scan(collection, { ...rest, ...(after === undefined ? {} : { after }) });
        return same?.key === after ? [same!, ...page] : page;
      },
    })),
  ],
  "does not count versions": [
    "state",
    state((port) => ({
      get: async (...asked) => (await port.get(...asked)).map((document) => document && { ...document, version: 1 }),
    })),
  ],
  "does not close": ["engine", (engine) => ({ ...engine, close: async () => undefined })],
  "forgets on close what it had accepted": [
    "engine",
    (engine) => ({
      ...engine,
      topics: {
        ...engine.topics,
        publish: (entries) => engine.topics.list().then(() => engine.topics.publish(entries)),
      },
    }),
  ],
};
