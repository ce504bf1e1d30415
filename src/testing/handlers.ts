import type { Context } from "../delivery/context.ts";
import type { Middleware } from "../delivery/middleware/middleware.ts";
import type { BatchHandler, Handler, Route, Service } from "../delivery/service.ts";
import { systemClock } from "../platform/system.ts";

/** One run of a handler; of a batch handler, with all its items. */
export interface HandlerRun {
  readonly service: string;
  readonly subscription: string;
  readonly type: string;
  readonly partition: number;
  /** Position of the event, or those of the batch. */
  readonly positions: readonly number[];
  readonly attempt: number;
  /** How long the kit has waited for it in real time. */
  waitedMs: number;
}

/** What is told of handlers while they run. */
export interface HandlerProbe {
  /** False when the process is dead, or dies of this: then the handler does not run. */
  begins(run: HandlerRun): boolean;
  /** The handler has ended well. */
  ended(run: HandlerRun): void;
  alive(): boolean;
}

/** The handlers of one process under test: which of them run, and a way to wait for them. */
export interface Handlers {
  /** The same services with handlers that are watched, and what their own middleware awaits. */
  watch(services: readonly Service[]): readonly Service[];
  /** Middleware with what it awaits watched as well; none for none, since with middleware handlers run another way. */
  watchMiddleware(use: readonly Middleware[] | undefined): readonly Middleware[];
  /** Asynchronous handlers that have not ended. */
  running(): readonly HandlerRun[];
  /** Resolves when one of them ends, or a little later in real time. */
  changed(): Promise<void>;
}

/**
 * How long one wait is at most, in milliseconds. Waiting is counted in such ticks and not by a clock, so that a pause in a
 * debugger, however long, counts as one.
 */
const tickMs = 5;

/** What a dead process's handlers return: nothing of it goes on. */
const never = new Promise<never>(() => undefined);

/** Makes the handlers of one process. */
export function createHandlers(probe: HandlerProbe): Handlers {
  const running = new Set<HandlerRun>();
  let waiters: (() => void)[] = [];

  function wake(): void {
    const woken = waiters;
    waiters = [];
    for (const waiter of woken) waiter();
  }

  /** Synchronous handlers stay synchronous, as in production. */
  function track(run: HandlerRun, handle: () => void | Promise<void>): void | Promise<void> {
    if (!probe.begins(run)) return never;
    const result = handle();
    if (typeof (result as Promise<void> | undefined)?.then !== "function") return probe.ended(run);
    return follow(run, result as Promise<void>, () => probe.ended(run));
  }

  function follow(run: HandlerRun, work: Promise<void>, ended: () => void): Promise<void> {
    running.add(run);
    const over = (): boolean => {
      running.delete(run);
      wake();
      return probe.alive();
    };
    return work.then(
      () => (over() ? ended() : never),
      (error: unknown) => {
        if (over()) throw error;
        return never;
      },
    );
  }

  function watchRoute(service: string, route: Route): Route {
    const { contract, handler, batch } = route;
    const one = handler as Handler<string, unknown> | undefined;
    const many = batch?.handler as BatchHandler<string, unknown> | undefined;
    const watched: Handler<string, unknown> = (event, ctx) =>
      track(runOf(service, contract, [ctx]), () => one?.(event, ctx));
    const watchedBatch: BatchHandler<string, unknown> = (items) => {
      const contexts = items.map(({ ctx }) => ctx);
      return track(runOf(service, contract, contexts), () => many?.(items));
    };
    return { ...route, handler: one && watched, batch: batch && { ...batch, handler: watchedBatch } };
  }

  const outermost: Middleware = async (event, ctx, next) => {
    const run = runOf(ctx.subscription.slice(0, ctx.subscription.indexOf("/")), event, [ctx]);
    await follow(run, next(), () => undefined);
  };
  const watchMiddleware = (use: readonly Middleware[] = []): readonly Middleware[] =>
    use.length === 0 ? [] : [outermost, ...use];

  return {
    watchMiddleware,
    watch: (services) =>
      services.map((service) => ({
        ...service,
        options: { ...service.options, use: watchMiddleware(service.options.use) },
        routes: new Map([...service.routes].map(([type, route]) => [type, watchRoute(service.name, route)])),
      })),
    running: () => [...new Map([...running].map((run) => [placeOf(run), run])).values()],
    changed() {
      return new Promise((resolve) => {
        const cancel = systemClock.after(tickMs, () => {
          for (const run of running) run.waitedMs += tickMs;
          wake();
        });
        waiters.push(() => {
          cancel();
          resolve();
        });
      });
    },
  };
}

/** A handler and the middleware around it are one run. */
const placeOf = ({ subscription, partition, positions }: HandlerRun): string =>
  `${subscription} ${partition} ${positions.join()}`;

function runOf(service: string, { type }: { readonly type: string }, contexts: readonly Context[]): HandlerRun {
  const [first] = contexts as [Context, ...Context[]];
  return {
    service,
    subscription: first.subscription,
    type,
    partition: first.partition,
    positions: contexts.map(({ position }) => position),
    attempt: first.attempt,
    waitedMs: 0,
  };
}
