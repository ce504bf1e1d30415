import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import type { Event } from "../event/envelope.ts";
import { checkName } from "../event/names.ts";
import { checkOptions } from "../lib/options.ts";
import type { Context } from "./context.ts";
import {
  type BreakerOptions,
  checkBreaker,
  checkRate,
  checkUses,
  type Dependency,
  type RateOptions,
} from "./guards/dependency.ts";
import type { Middleware } from "./middleware/middleware.ts";
import { checkDeliveryOptions, type DeliveryOptions, deliveryOptionNames } from "./policy.ts";

/** Handles one event. What it does through `ctx` commits together, or not at all. */
export type Handler<Type extends string, Data> = (event: Event<Type, Data>, ctx: Context) => void | Promise<void>;

/** One event of a batch, with a context of its own. */
export interface BatchItem<Type extends string, Data> {
  readonly event: Event<Type, Data>;
  readonly ctx: Context;
  /** Says that this item failed; later items of its key then count as not handled. */
  fail(error: unknown): void;
}

/** Handles several events at once. An item fails by `item.fail(error)`; all fail when the handler throws. */
export type BatchHandler<Type extends string, Data> = (items: readonly BatchItem<Type, Data>[]) => void | Promise<void>;

/** What a handler may say for itself. */
export interface HandlerOptions extends DeliveryOptions {
  /** What it calls outside: while one of these may not be called, its deliveries are not started. */
  readonly uses?: readonly Dependency[];
}

/** How a batch is put together. */
export interface BatchOptions extends HandlerOptions {
  /** Most items of a batch; 100 by default. */
  readonly batchMax?: number;
  /** How long the first item waits for company, in milliseconds; 10 by default. */
  readonly waitMs?: number;
}

/** Where a new subscription begins. */
export type From = "start" | "end" | { readonly timeMs: number };

/** How effects and positions go together. */
export type Guarantee = "exactly-once" | "at-least-once" | "at-most-once";

/** What `service()` takes. */
export interface ServiceOptions extends HandlerOptions {
  /**
   * Where its subscriptions begin when they are new: at the start of the topic, at its end, or at an instant.
   * Needed when a topic holds events already; on an empty topic start and end are the same.
   */
  readonly from?: From;
  /** Version of the service's definition: raise it when a rolling deploy changes what it handles. 1 by default. */
  readonly epoch?: number;
  /** `exactly-once` where broker and store are one engine (the default there). */
  readonly guarantee?: Guarantee;
  /** How many deliveries may run at once in one process; 64 by default. */
  readonly concurrency?: number;
  /** How much may be fetched and not settled, by partition. */
  readonly prefetch?: { readonly events?: number; readonly bytes?: number };
  /** Remember identities for so long and drop an event published twice. Off by default. */
  readonly inbox?: { readonly windowMs: number };
  /**
   * Most events that may be pending at each of its subscriptions before publishers from outside of handlers, in whatever
   * process, are refused with TIDINGS_OVERLOADED. No limit by default: the topic is a buffer on disk.
   */
  readonly backlog?: { readonly eventsMax: number };
  /** When each of its subscriptions starts nothing for a while, by what becomes of its deliveries. Off by default. */
  readonly breaker?: BreakerOptions;
  /** How many deliveries of each of its subscriptions may start, all processes together. */
  readonly rate?: RateOptions;
  /** Around every handler of the service, outermost first. */
  readonly use?: readonly Middleware[];
}

/** A handler with what it takes. */
export interface Route {
  readonly contract: Contract;
  readonly handler: Handler<string, never> | undefined;
  readonly batch:
    { readonly handler: BatchHandler<string, never>; readonly batchMax: number; readonly waitMs: number } | undefined;
  readonly options: HandlerOptions;
}

/** A named unit of code with handlers. */
export interface Service {
  readonly name: string;
  readonly options: ServiceOptions;
  /** By event type. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Handles each event of the contract's type. One handler per type: a second is TIDINGS_DUPLICATE_HANDLER. */
  on<Type extends string, Data>(
    contract: Contract<Type, never, Data>,
    handler: Handler<Type, NoInfer<Data>>,
    options?: HandlerOptions,
  ): Service;
  /** Handles events of the contract's type several at once. */
  onBatch<Type extends string, Data>(
    contract: Contract<Type, never, Data>,
    handler: BatchHandler<Type, NoInfer<Data>>,
    options?: BatchOptions,
  ): Service;
}

const serviceOptionNames = [
  ...deliveryOptionNames,
  "from",
  "epoch",
  "guarantee",
  "concurrency",
  "prefetch",
  "inbox",
  "backlog",
  "breaker",
  "rate",
  "uses",
  "use",
];

/**
 * Declares a service. Throws TIDINGS_INVALID_NAME, TIDINGS_INVALID_OPTION.
 *
 * @example
 * const payments = service("payments").on(OrderPlaced, (order, ctx) => {
 *   ctx.publish(PaymentCaptured, { orderId: order.data.orderId });
 * });
 */
export function service(name: string, options: ServiceOptions = {}): Service {
  checkName("service", name);
  checkServiceOptions(`service("${name}")`, options);
  const routes = new Map<string, Route>();

  function add(route: Route): void {
    const { type, topic } = route.contract;
    if (routes.has(type)) {
      throw new TidingsError(
        "TIDINGS_DUPLICATE_HANDLER",
        `The service "${name}" has a handler for "${type}" already; a service handles a type once.`,
        {
          details: { service: name, type, topic: topic.name },
        },
      );
    }
    routes.set(type, route);
  }

  const self: Service = {
    name,
    options,
    routes,
    on(contract, handler, handlerOptions = {}) {
      checkHandler(name, contract, handler);
      const where = `service("${name}").on("${contract.type}")`;
      checkOptions(where, handlerOptions, [...deliveryOptionNames, "uses"]);
      checkDeliveryOptions(where, handlerOptions);
      checkUses(where, handlerOptions.uses);
      add({
        contract,
        handler: handler as unknown as Handler<string, never>,
        batch: undefined,
        options: handlerOptions,
      });
      return self;
    },
    onBatch(contract, handler, batchOptions = {}) {
      checkHandler(name, contract, handler);
      const where = `service("${name}").onBatch("${contract.type}")`;
      checkOptions(where, batchOptions, [...deliveryOptionNames, "uses", "batchMax", "waitMs"]);
      checkDeliveryOptions(where, batchOptions);
      checkUses(where, batchOptions.uses);
      const { batchMax = 100, waitMs = 10, ...rest } = batchOptions;
      whole(where, "batchMax", batchMax, 1);
      whole(where, "waitMs", waitMs, 0);
      const batch = { handler: handler as unknown as BatchHandler<string, never>, batchMax, waitMs };
      add({ contract, handler: undefined, batch, options: rest });
      return self;
    },
  };
  return self;
}

function checkHandler(service: string, contract: unknown, handler: unknown): void {
  const type = (contract as Contract | undefined)?.type;
  if (typeof type !== "string" || !(contract as Contract).topic) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `service("${service}").on takes an event type made by topic(…).event(…), then a handler.`,
    );
  }
  if (typeof handler !== "function") {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `service("${service}").on("${type}") needs a function as handler.`,
    );
  }
}

function checkServiceOptions(where: string, options: ServiceOptions): void {
  checkOptions(where, options, serviceOptionNames);
  checkDeliveryOptions(where, options);
  checkOptions(`${where}.prefetch`, options.prefetch ?? {}, ["events", "bytes"]);
  checkOptions(`${where}.inbox`, options.inbox ?? {}, ["windowMs"]);
  whole(where, "epoch", options.epoch, 1);
  whole(where, "concurrency", options.concurrency, 1);
  whole(where, "prefetch.events", options.prefetch?.events, 1);
  whole(where, "prefetch.bytes", options.prefetch?.bytes, 1);
  whole(where, "inbox.windowMs", options.inbox?.windowMs, 1);
  checkBacklog(where, options.backlog);
  if (options.breaker !== undefined) checkBreaker(`${where}.breaker`, options.breaker);
  if (options.rate !== undefined) checkRate(`${where}.rate`, options.rate);
  checkUses(where, options.uses);
  if (
    options.guarantee !== undefined &&
    !["exactly-once", "at-least-once", "at-most-once"].includes(options.guarantee)
  ) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The option guarantee of ${where} must be exactly-once, at-least-once or at-most-once.`,
    );
  }
  const { from } = options;
  if (
    from !== undefined &&
    from !== "start" &&
    from !== "end" &&
    !Number.isFinite((from as { timeMs?: number } | null)?.timeMs)
  ) {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The option from of ${where} must be "start", "end" or { timeMs }.`,
    );
  }
}

function checkBacklog(where: string, backlog: ServiceOptions["backlog"]): void {
  if (backlog === undefined) return;
  checkOptions(`${where}.backlog`, backlog, ["eventsMax"]);
  if (Number.isSafeInteger(backlog.eventsMax) && backlog.eventsMax >= 1) return;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The option backlog.eventsMax of ${where} must be a whole number of at least 1: how many events may be pending before publishers are refused; leave backlog out for no limit.`,
  );
}

function whole(where: string, name: string, value: unknown, least: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= least)) return;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The option ${name} of ${where} must be a whole number of at least ${least}.`,
  );
}
