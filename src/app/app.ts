import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import type { PublishOptions } from "../event/encode.ts";
import type { Event } from "../event/envelope.ts";
import { type Admin, createAdmin } from "../admin/admin.ts";
import type { StateBox } from "../delivery/context.ts";
import { handlingSubscription } from "../delivery/run/handler-scope.ts";
import type { Logger } from "../delivery/log.ts";
import type { Metric } from "../delivery/metrics.ts";
import { readTotals, type Totals } from "../delivery/totals.ts";
import { checkText } from "../lib/arguments.ts";
import { checkOptions } from "../lib/options.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { defaultMemberId, releaseDead } from "./member-id.ts";
import { type Health, readHealth } from "./health.ts";
import { Lifecycle } from "./lifecycle.ts";
import { type AppOptions, checkAppOptions, limitsOf } from "./options.ts";
import type { Publication } from "./publisher.ts";
import { settledWithin } from "./settled.ts";
import { type ServiceState, serviceState } from "./service-state.ts";

/** An application: services on an engine, and a publisher. */
export interface App {
  readonly name: string;
  /** Opens the engine, registers every subscription, and begins to consume. Resolves with the application itself. */
  start(): Promise<App>;
  /** Publishes one event; resolves when it is as durable as the engine promises. Inside a handler use `ctx.publish`. */
  publish<Type extends string, In>(
    contract: Contract<Type, In>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Promise<Event<Type, In>>;
  /** Publishes all of the events or none. */
  publishAll(publications: readonly Publication[]): Promise<readonly Event[]>;
  /**
   * Publishes inside a transaction of your own, which you have begun on a client of the engine's kind (`pg` with postgres): the
   * event is there when that commits, and never when it is rolled back. Its partition is locked until then. Throws
   * TIDINGS_UNSUPPORTED on engines whose transactions nobody can join.
   */
  publishIn<Type extends string, In>(
    transaction: unknown,
    contract: Contract<Type, In>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Promise<Event<Type, In>>;
  /** As `publish`, also inside a handler: at once, whatever becomes of the handler. */
  publishNow<Type extends string, In>(
    contract: Contract<Type, In>,
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
  const lifecycle = new Lifecycle(options);
  const { platform, log, metrics } = lifecycle;
  let admin: Admin | undefined;
  const app: App = {
    name: options.name,
    async start() {
      await lifecycle.start();
      return app;
    },
    // Not an async function: each more of them costs every publish a tenth of a microsecond and a promise.
    publish(contract, data, publishOptions) {
      try {
        refuseInHandlers("publish");
        return lifecycle.live().publisher.publish(contract, data, publishOptions) as never;
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async publishAll(publications) {
      refuseInHandlers("publishAll");
      return lifecycle.live().publisher.publishAll(publications);
    },
    async publishIn(transaction, contract, data, publishOptions) {
      refuseInHandlers("publishIn");
      return lifecycle.live().publisher.publishIn(transaction, contract, data, publishOptions) as never;
    },
    async publishNow(contract, data, publishOptions) {
      const inHandler = handlingSubscription() !== undefined;
      return lifecycle.live().publisher.publish(contract, data, publishOptions, inHandler) as never;
    },
    state(service, box) {
      checkText("app.state()", "the name of a service", service);
      checkText("app.state()", "the name of a box", box);
      return serviceState(lifecycle.live().engine, service, box);
    },
    totals: () => readTotals(lifecycle.live().engine, platform.clock.now()),
    async settled(waiting = {}) {
      checkOptions("app.settled()", waiting, ["timeoutMs", "signal"]);
      return settledWithin(lifecycle.live().engine, platform.clock, waiting);
    },
    health() {
      const { engine, subscriptions, admission, guards, outbox } = lifecycle.live();
      const { clock } = platform;
      const stuckAfterMs = options.stuckAfterMs ?? 60_000;
      return readHealth(engine, clock, subscriptions, admission.shedding(), guards.open(), outbox, stuckAfterMs);
    },
    metrics: () => metrics.read(),
    get engine() {
      return lifecycle.live().engine;
    },
    get admin() {
      return (admin ??= adminOf(options, lifecycle.live().engine, platform, log));
    },
    // Whatever it is given, it stops.
    stop: (stopOptions) => lifecycle.stop((stopOptions as { timeoutMs?: number } | null | undefined)?.timeoutMs),
    [Symbol.asyncDispose]: () => app.stop(),
  };
  return app;
}

function refuseInHandlers(what: string): void {
  const subscription = handlingSubscription();
  if (subscription === undefined) return;
  throw new TidingsError(
    "TIDINGS_PUBLISH_IN_HANDLER",
    `app.${what} was called inside a handler of "${subscription}": use ctx.publish, which commits with the handler, or app.publishNow, which does not wait for it.`,
    { details: { subscription } },
  );
}

function adminOf(options: AppOptions, engine: Engine, platform: Platform, log: Logger): Admin {
  const by = `app ${options.name}`;
  const source = `/${options.name}/admin`;
  const memberId = defaultMemberId(platform);
  const services = new Map(options.services?.map((service) => [service.name, service]));
  const contractOf = (service: string, type: string): Contract | undefined =>
    services.get(service)?.routes.get(type)?.contract;
  return createAdmin({
    engine, platform, log, by, source, memberId, limits: limitsOf(options), freeDead: () => releaseDead(engine), contractOf,
  }); // prettier-ignore
}
