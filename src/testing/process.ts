import { type App, tidings } from "../app/app.ts";
import type { AppOptions } from "../app/options.ts";
import { type Logger, silentLogger } from "../delivery/log.ts";
import type { Service } from "../delivery/service.ts";
import type { MemoryWorld } from "../engines/memory/factory.ts";
import type { CancelTimer } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { VirtualClock } from "../platform/virtual.ts";
import type { Engine } from "../ports/engine.ts";
import { Handlers, type HandlerRun } from "./handlers.ts";

/** A process under test: an application with an engine, a clock and handlers that end all at once when it dies. */
export interface TestProcess {
  readonly app: App;
  readonly handlers: Handlers;
  readonly memberId: string;
  alive(): boolean;
  /** Whether the engine is this process's. */
  owns(engine: Engine): boolean;
  /** Ends it as SIGKILL would. Once it is dead nothing of it goes on, apart from code of a handler that awaits something real. */
  die(): void;
}

/** What a process is made of. */
export interface ProcessOptions {
  readonly app: Omit<AppOptions, "url" | "engine" | "platform" | "memberId" | "services">;
  readonly services: readonly Service[];
  readonly world: MemoryWorld;
  readonly platform: Platform & { readonly clock: VirtualClock };
  readonly memberId: string;
  /** A handler is about to run; false when it must not. */
  readonly handlerBegins: (run: HandlerRun) => boolean;
  readonly handlerEnded: (run: HandlerRun) => void;
}

/**
 * How long a member that fell silent keeps its partitions. Long, because each heartbeat on the way of `advance` takes
 * real time, and nobody here falls silent: a process that is killed gives up its leases as one on the same machine does.
 */
const memberTtlMs = 30 * 24 * 60 * 60 * 1000;

/** Makes a process; `process.app` is not started yet. */
export function createProcess(options: ProcessOptions): TestProcess {
  const { world, platform, memberId } = options;
  let alive = true;
  let engine: Engine | undefined;
  const mortal = mortalClock(platform.clock, () => alive);
  const handlers = new Handlers({
    alive: () => alive,
    begins: (run) => alive && options.handlerBegins(run),
    ended: options.handlerEnded,
  });
  const app = tidings({
    memberTtlMs,
    ...options.app,
    logger: mortalLogger(options.app.logger ?? silentLogger, () => alive),
    services: handlers.watch(options.services),
    use: handlers.watchMiddleware(options.app.use),
    memberId,
    platform: { ...platform, clock: mortal.clock },
    engine: {
      async open(context) {
        engine = await world.open(context);
        return engine;
      },
    },
  });
  return {
    app,
    handlers,
    memberId,
    alive: () => alive,
    owns: (other) => other === engine,
    die() {
      if (!alive) return;
      alive = false;
      mortal.stop();
      if (engine) world.crash(engine);
      // Lets go of what is outside of the process, such as the listener on a signal; nothing of it can happen any more.
      app.stop().catch(() => undefined);
    },
  };
}

/** The clock as one process sees it: nothing that was asked for happens once the process is dead. */
function mortalClock(
  clock: VirtualClock,
  alive: () => boolean,
): { readonly clock: Platform["clock"]; readonly stop: () => void } {
  const timers = new Set<CancelTimer>();
  return {
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      soon(fn) {
        if (alive()) clock.soon(() => alive() && fn());
      },
      after(delayMs, fn) {
        if (!alive()) return () => undefined;
        const cancel = clock.after(delayMs, () => {
          timers.delete(cancel);
          fn();
        });
        timers.add(cancel);
        return () => {
          timers.delete(cancel);
          cancel();
        };
      },
    },
    stop() {
      for (const cancel of timers) cancel();
      timers.clear();
    },
  };
}

function mortalLogger(logger: Logger, alive: () => boolean): Logger {
  const level =
    (name: keyof Logger): Logger["info"] =>
    (fields, message) => {
      if (alive()) logger[name](fields, message);
    };
  return { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
}
