import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import type { Engine, EngineContext, EngineInfo } from "../../ports/engine.ts";
import type { Topics } from "../../ports/topics.ts";
import { deduplicationWindowMsDefault } from "../sql/ids.ts";
import { missingOf } from "../sql/topics.ts";
import { closedError, nothingThere, notWritable } from "../broker/rejections.ts";
import { topicsPort } from "../broker/topics.ts";
import { capabilitiesOf, redisCapabilities } from "./capabilities.ts";
import { Catalog } from "./catalog.ts";
import { loadClient } from "./client.ts";
import { Committer } from "./committer.ts";
import { backOff, Connections } from "./connections.ts";
import { durabilityOf, type Facts } from "./facts.ts";
import { passes, toTidingsError } from "./failure.ts";
import { type Keys, keysOf } from "./keys.ts";
import type { Settings } from "./options.ts";
import { publishCall } from "./publish.ts";
import { Reader } from "./reader.ts";
import { retain } from "./retention.ts";
import { openScript } from "./scripts/open.ts";
import { probeScript } from "./scripts/probe.ts";
import { StoreWatch } from "./store-watch.ts";
import { verify } from "./verify.ts";
import { Wakes } from "./wakes.ts";

/** How entries and keys are laid out. */
const format = 1;

/** The parts of an open engine. */
interface Store {
  readonly settings: Settings;
  readonly context: EngineContext;
  readonly keys: Keys;
  readonly watch: StoreWatch;
  readonly connections: Connections;
  readonly catalog: Catalog;
  readonly reader: Reader;
  readonly committer: Committer;
  readonly wakes: Wakes;
  closed: boolean;
}

/** Connects, makes the store where there is none, and puts the engine together. */
export async function openEngine(settings: Settings, context: EngineContext): Promise<Engine> {
  const keys = keysOf(settings);
  const watch = new StoreWatch(settings.address, keys);
  const library = await loadClient();
  const connections = new Connections({ library, settings, platform: context.platform, watch });
  await reach(connections, settings, context, keys, watch).catch(async (error: unknown) => {
    await connections.close();
    throw error;
  });
  const store = storeOf(settings, context, keys, watch, connections);
  const capabilities = capabilitiesOf(durabilityOf(connections.facts() as Facts));
  const check = (write = false): void => {
    if (store.closed) throw closedError(settings.address);
    if (write && settings.readOnly) throw notWritable(settings.address);
  };
  let closing: Promise<void> | undefined;
  return {
    name: "redis",
    address: settings.address,
    capabilities,
    topics: topicsOf(store, check),
    info: async () => {
      check();
      return info(store);
    },
    async verify(options = {}) {
      check();
      return verify({ ...store, address: settings.address }, options);
    },
    trouble: () =>
      store.closed
        ? `The engine of ${settings.address} is closed.`
        : (connections.trouble() ?? store.committer.trouble()),
    close: () => (closing ??= close(store)),
  };
}

function storeOf(
  settings: Settings,
  context: EngineContext,
  keys: Keys,
  watch: StoreWatch,
  connections: Connections,
): Store {
  const { platform, deduplicationWindowMs = deduplicationWindowMsDefault } = context;
  const me = platform.ids.next();
  const catalog = new Catalog(connections, keys, watch);
  const reader = new Reader({ connections, catalog, keys, settings, watch });
  const wakes = new Wakes({ platform, settings, keys, connections, catalog, reader, me });
  const committed = (topics: ReadonlySet<string>): void => wakes.call(topics);
  const committer = new Committer({ platform, settings, keys, connections, catalog, watch, deduplicationWindowMs, me, committed }); // prettier-ignore
  return { settings, context, keys, watch, connections, catalog, reader, committer, wakes, closed: false };
}

/** Waits for a server that is not there yet, no longer than calls do. */
async function reach(
  connections: Connections,
  settings: Settings,
  context: EngineContext,
  keys: Keys,
  watch: StoreWatch,
): Promise<void> {
  const { platform } = context;
  const untilMs = platform.clock.monotonic() + settings.busyTimeoutMs;
  for (let tries = 0; ; tries++) {
    try {
      return await begin(connections, settings, context, keys, watch);
    } catch (error) {
      // A wrong password, and a replica, are waited for only where they have come about.
      const ours = toTidingsError(error, settings.address);
      const waits = passes(error) && isTidingsError(ours) && ours.retryable;
      if (!waits || platform.clock.monotonic() >= untilMs) throw ours;
      await backOff(platform, tries);
    }
  }
}

/** Sees that the server holds a store of ours, and that the user may do what it takes. */
async function begin(
  connections: Connections,
  settings: Settings,
  { platform }: EngineContext,
  keys: Keys,
  watch: StoreWatch,
): Promise<void> {
  const connection = await connections.get("reads");
  const refuse = (code: "TIDINGS_FOREIGN_SCHEMA" | "TIDINGS_SCHEMA_TOO_NEW", sentence: string) =>
    new TidingsError(code, sentence, { details: { address: settings.address, key: keys.meta } });
  const found = settings.readOnly
    ? await connection.send<(string | null)[]>(["HMGET", keys.meta, "store", "format"])
    : await connection.run<string[]>(openScript, [keys.meta], [platform.ids.next(), String(format)]);
  const [store, made] = found;
  if (!store && settings.readOnly) throw nothingThere(settings.prefix, settings.address);
  if (!store)
    throw refuse("TIDINGS_FOREIGN_SCHEMA", `The key "${keys.meta}" at ${settings.address} belongs to another application; choose another prefix with ?prefix=NAME.`); // prettier-ignore
  if (Number(made) > format)
    throw refuse("TIDINGS_SCHEMA_TOO_NEW", `The store at ${settings.address} has the format ${made}, made by a newer version of tidings; this one knows ${format}.`); // prettier-ignore
  if (!settings.readOnly) await connection.run(probeScript, [`${keys.probe}:${platform.ids.next()}`], []);
  watch.opened(store);
}

type Check = (write?: boolean) => void;

function topicsOf(store: Store, check: Check): Topics {
  const { catalog, reader, committer, wakes, keys, context } = store;
  const { clock } = context.platform;
  const { eventBytesMax, partitionsMax } = redisCapabilities;
  return topicsPort({
    check,
    partitionsMax,
    catalog: {
      async declare(specs) {
        await catalog.load(specs.map(({ name }) => name));
        const missing = missingOf(specs, (name) => catalog.get(name));
        if (missing.length > 0) await catalog.make(missing);
      },
      list: () => catalog.list(),
      async find(name) {
        await catalog.load([name]);
        return catalog.get(name);
      },
    },
    reader,
    publish(entries) {
      const made = { keys, eventBytesMax, sinceMs: clock.monotonic() };
      return publishCall(entries, made, (call) => committer.submit(call));
    },
    positionsAt: (topic, timeMs) => reader.positionsAt(topic, timeMs),
    retain: (topic, rule) => retain(store, topic, rule),
    watch: (topic, listener) => wakes.watch(topic, listener),
  });
}

async function info({ connections, settings, keys, committer, watch }: Store): Promise<EngineInfo> {
  const [topics, memory] = await connections.read((from) =>
    Promise.all([from.send<number>(["HLEN", keys.topics]), from.send<string>(["INFO", "memory"])]),
  );
  const facts = connections.facts() as Facts;
  return {
    engine: "redis",
    address: settings.address,
    durability: durabilityOf(facts),
    server: facts.version,
    role: facts.role,
    appendonly: facts.appendonly,
    appendfsync: facts.appendfsync ?? "not told",
    memoryBytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1] ?? 0),
    memoryBytesMax: facts.memoryMax,
    prefix: settings.prefix,
    store: watch.store,
    notify: settings.notify,
    topics,
    commits: committer.commits(),
  };
}

async function close(store: Store): Promise<void> {
  store.closed = true;
  await store.committer.drained();
  await store.committer.leave();
  store.wakes.close();
  await store.connections.close();
}
