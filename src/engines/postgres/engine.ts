import { isTidingsError } from "../../errors/tidings-error.ts";
import type { Engine, EngineContext, EngineInfo } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";
import { deduplicationWindowMsDefault } from "../sql/ids.ts";
import { Tail } from "../sql/tail.ts";
import { checkSpec } from "../sql/topics.ts";
import { publishCall, transactCall } from "./call.ts";
import { postgresCapabilities } from "./capabilities.ts";
import { type Catalog, catalogOf } from "./catalog.ts";
import { Committer } from "./committer.ts";
import { backOff, connect, type Connections, passes } from "./connections.ts";
import { closedError, toTidingsError } from "./failure.ts";
import { forgetting } from "./forgetting.ts";
import { publishIn } from "./joining.ts";
import { leasesOf } from "./leases.ts";
import { migrate, type Server } from "./migrate.ts";
import type { Settings } from "./options.ts";
import { readerOf } from "./reader.ts";
import { retentionOf } from "./retention.ts";
import { schemaVersion } from "./schema/migrations.ts";
import { stateOf } from "./state.ts";
import { timersOf } from "./timers.ts";
import { declare } from "./topics.ts";
import { verify } from "./verify.ts";
import { Wakes } from "./wake.ts";
import { notWritable } from "./read-only.ts";

/** The parts of an open engine. */
interface Store {
  readonly settings: Settings;
  readonly context: EngineContext;
  readonly connections: Connections;
  readonly server: Server;
  readonly catalog: Catalog;
  readonly tail: Tail;
  readonly committer: Committer;
  readonly wakes: Wakes;
  readonly deduplicationWindowMs: number;
  closed: boolean;
}

/** Connects, takes the schema to the newest version and puts the engine together. */
export async function openEngine(settings: Settings, context: EngineContext): Promise<Engine> {
  const store = await openStore(settings, context);
  const { connections, wakes } = store;
  const { clock } = context.platform;
  const check = (write = false): void => {
    if (store.closed) throw closedError(settings.address);
    if (write && settings.readOnly) throw notWritable(settings.address);
  };
  const submit = (call: Parameters<Committer["submit"]>[0]): void => store.committer.submit(call);
  const stopForgetting = settings.readOnly ? undefined : forgetting(connections, settings, context);
  let closing: Promise<void> | undefined;
  return {
    name: "postgres",
    address: settings.address,
    capabilities: postgresCapabilities,
    topics: topicsOf(store, check),
    async transact(transaction) {
      check(true);
      return transactCall(transaction, clock.monotonic(), submit);
    },
    state: {
      ...guarded(stateOf(connections, settings, clock), check),
      watch: (collection, listener) => wakes.watchCollection(collection, listener),
    },
    timers: guarded(timersOf(connections, settings), check),
    leases: guarded(leasesOf(connections, settings), check, ["acquire", "renew", "release"]),
    info: async () => {
      check();
      return info(store);
    },
    async verify(options = {}) {
      check();
      return verify(connections, settings, options);
    },
    trouble: () =>
      store.closed
        ? `The engine of ${settings.address} is closed.`
        : (connections.trouble() ?? store.committer.trouble()),
    close: () => {
      stopForgetting?.();
      return (closing ??= close(store));
    },
  };
}

async function openStore(settings: Settings, context: EngineContext): Promise<Store> {
  const { platform } = context;
  const connections = await connect(settings, platform);
  const server = await reach(connections, settings, context).catch(async (error: unknown) => {
    await connections.close();
    throw toTidingsError(error, settings.address);
  });
  const catalog = catalogOf(connections, settings);
  const tail = new Tail();
  const wakes = new Wakes({ platform, settings, connections, catalog, tail });
  const { deduplicationWindowMs = deduplicationWindowMsDefault } = context;
  const committed = (logs: Iterable<number>, collections: Iterable<string>): void => wakes.own(logs, collections);
  const committer = new Committer({ platform, settings, connections, catalog, tail, deduplicationWindowMs, committed });
  const parts = { settings, context, connections, server, catalog, tail, committer, wakes, deduplicationWindowMs };
  return { ...parts, closed: false };
}

/** Waits for a server that is not there yet, no longer than calls do. */
async function reach(connections: Connections, settings: Settings, { platform }: EngineContext): Promise<Server> {
  const untilMs = platform.clock.monotonic() + settings.busyTimeoutMs;
  for (let tries = 0; ; tries++) {
    try {
      return await connections.alone((client) => migrate(client, settings));
    } catch (error) {
      // A wrong password, and a standby, are waited for only where they have come about.
      const ours = toTidingsError(error, settings.address);
      const waits = passes(error) && isTidingsError(ours) && ours.retryable;
      if (!waits || platform.clock.monotonic() >= untilMs) throw ours;
      await backOff(platform, tries);
    }
  }
}

type Check = (write?: boolean) => void;

/** The same port, of which every call asks first whether the engine is open, and writable for those that write. */
function guarded<Port extends object>(port: Port, check: Check, writing: readonly (keyof Port)[] = []): Port {
  const entries = Object.entries(port).map(([name, call]) => [
    name,
    async (...values: unknown[]) => {
      check(writing.includes(name as keyof Port));
      return (call as (...values: unknown[]) => Promise<unknown>)(...values);
    },
  ]);
  return Object.fromEntries(entries) as Port;
}

function topicsOf(store: Store, check: Check): Topics {
  const { connections, catalog, settings, wakes, tail, committer, context } = store;
  const { clock } = context.platform;
  const reader = guarded(readerOf(connections, { ...store, watched: () => wakes.watches() }, clock), check);
  const retain = retentionOf(connections, catalog, settings);
  return {
    ...reader,
    async declare(specs) {
      check(true);
      await declare(
        connections,
        catalog,
        settings,
        specs.map((spec) => checkSpec(spec, postgresCapabilities.partitionsMax)),
      );
    },
    async list() {
      check();
      return catalog.list();
    },
    async find(name) {
      check();
      await catalog.load([name]);
      const found = catalog.get(name);
      return found && { name: found.name, partitions: found.partitions };
    },
    // Not an async function: each more of them costs every publish a promise.
    publish(entries) {
      try {
        check(true);
        if (entries.length === 0) return Promise.resolve([]);
        return publishCall(entries, clock.monotonic(), (call) => committer.submit(call));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async publishIn(handle, entries) {
      check(true);
      return entries.length === 0 ? [] : publishIn(handle, entries, store);
    },
    async retain(topic, rule) {
      check(true);
      // What is gone must not be read any more.
      return retain(topic, rule).finally(() => tail.forget());
    },
    watch: (topic, listener) => wakes.watchTopic(topic, listener),
  };
}

async function info(store: Store): Promise<EngineInfo> {
  const { connections, settings, server, committer } = store;
  const { schema } = settings;
  const [row] = await connections.read<Record<string, number | string>>({
    name: "tidings_info",
    text: `SELECT (SELECT value FROM "${schema}".meta WHERE name = 'store') AS store, current_setting('synchronous_commit') AS synchronous_commit,
      (SELECT count(*) FROM "${schema}".topic) AS topics, (SELECT count(*) FROM "${schema}".chunk WHERE count > 0) AS chunks,
      (SELECT count(*) FROM "${schema}".document) AS documents, (SELECT count(*) FROM "${schema}".timer) AS timers,
      (SELECT count(*) FROM "${schema}".segment) AS segments,
      (SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r')::bigint AS bytes`,
    values: [schema],
  });
  return {
    engine: "postgres",
    address: settings.address,
    durability: postgresCapabilities.durability,
    server: server.version,
    role: server.user,
    schema,
    schemaVersion,
    notify: settings.notify,
    ...row,
    commits: committer.commits(),
  };
}

async function close(store: Store): Promise<void> {
  store.closed = true;
  await store.committer.drained();
  await store.wakes.close();
  await store.connections.close();
}
