import type { Contract } from "../event/contract.ts";
import type { Context } from "../delivery/context.ts";
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
  /** The same services with handlers that are watched. */
  watch(services: readonly Service[]): readonly Service[];
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
    running.add(run);
    const over = (): boolean => {
      running.delete(run);
      wake();
      return probe.alive();
    };
    return (result as Promise<void>).then(
      () => (over() ? probe.ended(run) : never),
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

  return {
    watch: (services) =>
      services.map((service) => ({
        ...service,
        routes: new Map([...service.routes].map(([type, route]) => [type, watchRoute(service.name, route)])),
      })),
    running: () => [...running],
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

function runOf(service: string, { type }: Contract, contexts: readonly Context[]): HandlerRun {
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
