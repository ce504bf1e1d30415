import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import type { PublishOptions } from "../event/encode.ts";
import type { Event } from "../event/envelope.ts";
import { messageOf } from "../event/validate.ts";
import { type Admin, createAdmin } from "../admin/admin.ts";
import type { StateBox } from "../delivery/context.ts";
import { currentUnit } from "../delivery/run/execute.ts";
import { jsonLogger, type Logger } from "../delivery/log.ts";
import { createMetrics, type Metric } from "../delivery/metrics.ts";
import { readTotals, type Totals } from "../delivery/totals.ts";
import { systemPlatform } from "../platform/system.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { engineOfUrl, hideSecrets } from "./engines.ts";
import { defaultMemberId, releaseDead } from "./member-id.ts";
import { type Health, readHealth } from "./health.ts";
import { type AppOptions, checkAppOptions, limitsOf, topicsOf } from "./options.ts";
import type { Publication } from "./publisher.ts";
import { type Running, run } from "./running.ts";
import { settledWithin } from "./settled.ts";
import { type ServiceState, serviceState } from "./service-state.ts";

/** An application: services on an engine, and a publisher. */
export interface App {
  readonly name: string;
  /** Opens the engine, registers every subscription, and begins to consume. Resolves with the application itself. */
  start(): Promise<App>;
  /** Publishes one event; resolves when it is as durable as the engine promises. Inside a handler use `ctx.publish`. */
  publish<Type extends string, In>(
    contract: Contract<Type, In, unknown>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Promise<Event<Type, In>>;
  /** Publishes all of the events or none. */
  publishAll(publications: readonly Publication[]): Promise<readonly Event[]>;
  /** As `publish`, also inside a handler: at once, whatever becomes of the handler. */
  publishNow<Type extends string, In>(
    contract: Contract<Type, In, unknown>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Promise<Event<Type, In>>;
  /** Reads the documents of one of the services, as committed. */
  state<Value>(service: string, box: string): ServiceState<Value>;
  /** What stands in the store about its topics and subscriptions. */
  totals(): Promise<Totals>;
  /** Resolves when no subscription of the store has anything pending or waiting for a retry. Dead letters and what waits behind them do not count. */
  settled(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<Totals>;
  health(): Promise<Health>;
  metrics(): readonly Metric[];
  /** The engine, once started. */
  readonly engine: Engine;
  /** What operators can read and repair: topics, events, subscriptions, held keys, dead letters. */
  readonly admin: Admin;
  /** Lets running handlers end, commits, and closes the engine. After the deadline handlers are told to abort. */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type { StateBox };

/**
 * Makes an application. Throws TIDINGS_INVALID_OPTION, TIDINGS_INVALID_NAME.
 *
 * @example
 * const app = await tidings({ name: "shop", url: "sqlite:shop.db", services: [payments] }).start();
 */
export function tidings(options: AppOptions): App {
  checkAppOptions(options);
  const topics = topicsOf(options);
  const platform = options.platform ?? systemPlatform();
  const log = options.logger ?? jsonLogger(() => platform.clock.now(), "warn");
  const metrics = createMetrics();
  let running: Running | undefined;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let admin: Admin | undefined;

  function live(): Running {
    if (running && !stopping) return running;
    throw new TidingsError(
      "TIDINGS_NOT_STARTED",
      `The application "${options.name}" is ${stopping ? "stopped" : "not started: await app.start() first"}.`,
    );
  }

  function outsideOfHandlers(what: string): void {
    const unit = currentUnit.getStore();
    if (!unit) return;
    throw new TidingsError(
      "TIDINGS_PUBLISH_IN_HANDLER",
      `app.${what} was called inside a handler of "${unit.subscription}": use ctx.publish, which commits with the handler, or app.publishNow, which does not wait for it.`,
      { details: { subscription: unit.subscription } },
    );
  }

  async function begin(): Promise<void> {
    const engine = await openEngine(options, platform, log);
    try {
      running = await run({ options, engine, platform, log, metrics, topics, limits: limitsOf(options) });
    } catch (error) {
      await engine.close().catch(() => undefined);
      throw error;
    }
    if (options.signal?.aborted) await app.stop();
    else options.signal?.addEventListener("abort", stopBySignal, { once: true });
  }

  function stopBySignal(): void {
    app.stop().catch((error: unknown) => log.error({ err: messageOf(error) }, "stopping failed"));
  }

  const app: App = {
    name: options.name,
    async start() {
      if (starting)
        throw new TidingsError(
          "TIDINGS_ALREADY_STARTED",
          `The application "${options.name}" was started before; make another one.`,
        );
      starting = begin();
      await starting;
      return app;
    },
    async publish(contract, data, publishOptions) {
      outsideOfHandlers("publish");
      return live().publisher.publish(contract as unknown as Contract, data, publishOptions) as never;
    },
    async publishAll(publications) {
      outsideOfHandlers("publishAll");
      return live().publisher.publishAll(publications);
    },
    async publishNow(contract, data, publishOptions) {
      return live().publisher.publish(contract as unknown as Contract, data, publishOptions) as never;
    },
    state: (service, box) => serviceState(live().engine, service, box),
    totals: () => readTotals(live().engine, platform.clock.now()),
    settled: (waiting = {}) => settledWithin(live().engine, platform.clock, waiting),
    health: () => readHealth(live().engine, platform.clock, live().subscriptions, options.stuckAfterMs ?? 60_000),
    metrics: () => metrics.read(),
    get engine() {
      return live().engine;
    },
    get admin() {
      return (admin ??= adminOf(options, live().engine, platform, log));
    },
    stop(stopOptions = {}) {
      stopping ??= (async () => {
        options.signal?.removeEventListener("abort", stopBySignal);
        await starting?.catch(() => undefined);
        await running?.stop(stopOptions.timeoutMs ?? options.drainTimeoutMs ?? 30_000);
      })();
      return stopping;
    },
    [Symbol.asyncDispose]: () => app.stop(),
  };
  return app;
}

function adminOf(options: AppOptions, engine: Engine, platform: Platform, log: Logger): Admin {
  const by = `app ${options.name}`;
  const source = `/${options.name}/admin`;
  const memberId = defaultMemberId(platform);
  return createAdmin({
    engine, platform, log, by, source, memberId, limits: limitsOf(options), freeDead: () => releaseDead(engine),
  }); // prettier-ignore
}

async function openEngine(options: AppOptions, platform: Platform, log: Logger): Promise<Engine> {
  const context = {
    platform,
    ...(options.deduplicationWindowMs === undefined ? {} : { deduplicationWindowMs: options.deduplicationWindowMs }),
  };
  if (options.engine) return options.engine.open(context);
  if (process.env["TIDINGS_STORE"]) {
    throw new TidingsError(
      "TIDINGS_UNSUPPORTED",
      "TIDINGS_STORE names a store apart from the broker; this version keeps both in one engine: unset it.",
    );
  }
  const url = options.url ?? process.env["TIDINGS_URL"];
  if (url === undefined) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The application "${options.name}" needs an engine: tidings({ url: "sqlite:${options.name}.db" }), or TIDINGS_URL in the environment.`,
    );
  }
  const factory = await engineOfUrl(url);
  const engine = await factory.open(context);
  log.info(
    {
      app: options.name,
      engine: engine.name,
      address: hideSecrets(engine.address),
      from: options.url === undefined ? "TIDINGS_URL" : "options",
    },
    "engine opened",
  );
  return engine;
}
