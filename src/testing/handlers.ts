import type { Context } from "../delivery/context.ts";
import type { Middleware } from "../delivery/middleware/middleware.ts";
import type { BatchHandler, Handler, Route, Service } from "../delivery/service.ts";
import type { UnitOfWork } from "../delivery/unit-of-work.ts";
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
  /** Whether it waits for a commit, which may take virtual time, and for nothing real. */
  waitsForCommit(): boolean;
}

/** What is told of handlers while they run. */
export interface HandlerProbe {
  /** False when the process is dead, or dies of this: then the handler does not run. */
  begins(run: HandlerRun): boolean;
  /** The handler has ended well. */
  ended(run: HandlerRun): void;
  alive(): boolean;
}

/**
 * How long one wait is at most, in milliseconds. Waiting is counted in such ticks and not by a clock, so that a pause in a
 * debugger, however long, counts as one.
 */
const tickMs = 5;

/** What a dead process's handlers return: nothing of it goes on. */
const never = new Promise<never>(() => undefined);

/** The handlers of one process under test: which of them run, and a way to wait for them. */
export class Handlers {
  readonly #probe: HandlerProbe;
  readonly #running = new Set<HandlerRun>();
  #waiters: (() => void)[] = [];

  constructor(probe: HandlerProbe) {
    this.#probe = probe;
  }

  /** The same services with handlers that are watched, and what their own middleware awaits. */
  watch(services: readonly Service[]): readonly Service[] {
    return services.map((service) => ({
      ...service,
      options: { ...service.options, use: this.watchMiddleware(service.options.use) },
      routes: new Map([...service.routes].map(([type, route]) => [type, this.#watchRoute(service.name, route)])),
    }));
  }

  /** Middleware with what it awaits watched as well; none for none, since with middleware handlers run another way. */
  watchMiddleware(use: readonly Middleware[] = []): readonly Middleware[] {
    const outermost: Middleware = async (event, ctx, next) => {
      const run = runOf(ctx.subscription.slice(0, ctx.subscription.indexOf("/")), event, [ctx]);
      await this.#follow(run, next(), () => undefined);
    };
    return use.length === 0 ? [] : [outermost, ...use];
  }

  /** Asynchronous handlers that have not ended. */
  running(): readonly HandlerRun[] {
    return [...new Map([...this.#running].map((run) => [placeOf(run), run])).values()];
  }

  /** Resolves when one of them ends, or a little later in real time. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = systemClock.after(tickMs, () => {
        for (const run of this.#running) run.waitedMs += tickMs;
        this.#wake();
      });
      this.#waiters.push(() => {
        cancel();
        resolve();
      });
    });
  }

  #wake(): void {
    const woken = this.#waiters;
    this.#waiters = [];
    for (const waiter of woken) waiter();
  }

  #watchRoute(service: string, route: Route): Route {
    const { contract, handler, batch } = route;
    const one = handler as Handler<string, unknown> | undefined;
    const many = batch?.handler as BatchHandler<string, unknown> | undefined;
    const watched: Handler<string, unknown> = (event, ctx) =>
      this.#track(runOf(service, contract, [ctx]), () => one?.(event, ctx));
    const watchedBatch: BatchHandler<string, unknown> = (items) => {
      const contexts = items.map(({ ctx }) => ctx);
      return this.#track(runOf(service, contract, contexts), () => many?.(items));
    };
    return { ...route, handler: one && watched, batch: batch && { ...batch, handler: watchedBatch } };
  }

  /** Synchronous handlers stay synchronous, as in production. */
  #track(run: HandlerRun, handle: () => void | Promise<void>): void | Promise<void> {
    if (!this.#probe.begins(run)) return never;
    const result = handle();
    if (typeof (result as Promise<void> | undefined)?.then !== "function") return this.#probe.ended(run);
    return this.#follow(run, result as Promise<void>, () => this.#probe.ended(run));
  }

  #follow(run: HandlerRun, work: Promise<void>, ended: () => void): Promise<void> {
    this.#running.add(run);
    const over = (): boolean => {
      this.#running.delete(run);
      this.#wake();
      return this.#probe.alive();
    };
    return work.then(
      () => (over() ? ended() : never),
      (error: unknown) => {
        if (over()) throw error;
        return never;
      },
    );
  }
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
    waitsForCommit: () => contexts.some((ctx) => (ctx as UnitOfWork).waitsForCommits > 0),
  };
}
