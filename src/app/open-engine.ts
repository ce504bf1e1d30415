import { TidingsError } from "../errors/tidings-error.ts";
import type { Logger } from "../delivery/log.ts";
import { journaledEngine } from "../journal/journaled.ts";
import { composeEngine } from "../outbox/composed.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine, EngineContext } from "../ports/engine.ts";
import { engineOfUrl, hideSecrets } from "./engines.ts";
import type { AppOptions, EngineFactory } from "./options.ts";

/** An engine that is to be opened, and who has named it. */
interface Choice {
  readonly factory: EngineFactory;
  readonly from: string;
}

/**
 * Opens the engine that the options or the environment name, or a broker and a store as one. Throws TIDINGS_INVALID_OPTION when
 * none is named, and what the engines throw.
 */
export async function openEngine(options: AppOptions, platform: Platform, log: Logger): Promise<Engine> {
  const context = {
    platform,
    ...(options.deduplicationWindowMs === undefined ? {} : { deduplicationWindowMs: options.deduplicationWindowMs }),
  };
  const broker = await brokerOf(options);
  const store = await storeOf(options);
  if (!store) return withPositions(await open(broker, "engine", options, context, log), options, platform);
  return composedOf(
    () => open(broker, "broker", options, context, log),
    () => open(store, "store", options, context, log),
  );
}

/** What carries events only keeps the positions of services as well; who only publishes needs none. */
async function withPositions(engine: Engine, { services = [] }: AppOptions, platform: Platform): Promise<Engine> {
  if (engine.transact || services.length === 0) return engine;
  try {
    return journaledEngine(engine, platform);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Opens both or none, and makes one of them. */
export async function composedOf(
  openBroker: () => Promise<Engine>,
  openStore: () => Promise<Engine>,
  options: { readonly readOnly?: boolean } = {},
): Promise<Engine> {
  const broker = await openBroker();
  let store: Engine | undefined;
  try {
    store = await openStore();
    return await composeEngine(broker, store, options);
  } catch (error) {
    await Promise.allSettled([broker.close(), store?.close()]);
    throw error;
  }
}

async function brokerOf({ name, engine, url }: AppOptions): Promise<Choice> {
  if (engine) return { factory: engine, from: "options" };
  const named = url ?? process.env["TIDINGS_URL"];
  if (named !== undefined)
    return { factory: await engineOfUrl(named), from: url === undefined ? "TIDINGS_URL" : "options" };
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The application "${name}" needs an engine: tidings({ url: "sqlite:${name}.db" }), or TIDINGS_URL in the environment.`,
  );
}

/** The environment completes what the options leave open; an engine made by hand leaves nothing open. */
async function storeOf({ engine, store }: AppOptions): Promise<Choice | undefined> {
  if (typeof store === "object") return { factory: store, from: "options" };
  const url = store ?? (engine ? undefined : process.env["TIDINGS_STORE"]);
  if (url === undefined || url === "") return undefined;
  return { factory: await engineOfUrl(url), from: store === undefined ? "TIDINGS_STORE" : "options" };
}

async function open(
  { factory, from }: Choice,
  role: "engine" | "broker" | "store",
  options: AppOptions,
  context: EngineContext,
  log: Logger,
): Promise<Engine> {
  const engine = await factory.open(context);
  log.info({ app: options.name, [role]: engine.name, address: hideSecrets(engine.address), from }, `${role} opened`);
  return engine;
}
