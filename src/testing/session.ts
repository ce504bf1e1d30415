import { TidingsError } from "../errors/tidings-error.ts";
import type { AppOptions } from "../app/options.ts";
import type { Service } from "../delivery/service.ts";
import { memoryWorld, type MemoryWorld } from "../engines/memory/factory.ts";
import type { FaultHook, MemoryCall, MemoryFault } from "../engines/memory/faults.ts";
import { memberOf } from "../membership/names.ts";
import type { Platform } from "../platform/platform.ts";
import { systemClock } from "../platform/system.ts";
import type { VirtualClock } from "../platform/virtual.ts";
import type { Engine } from "../ports/engine.ts";
import { type ArmedCrash, type CrashPoints, createCrashPoints, isCommit } from "./crash-points.ts";
import { createProcess, type TestProcess } from "./process.ts";
import { createRecording, type Recording } from "./recording.ts";

/** Why an application does not come to rest. */
export type Unrest =
  /** Handlers do not end, in real time. */
  | { readonly kind: "handlers"; readonly count: number }
  /** One thing leads to the next without end. */
  | { readonly kind: "endless" };

/** What a session is made of. */
export interface SessionOptions {
  readonly app: Omit<AppOptions, "url" | "engine" | "platform" | "memberId" | "services">;
  readonly platform: Platform & { readonly clock: VirtualClock };
  /** How long a handler may await something real, in milliseconds. */
  readonly handlerTimeoutMs: number;
  /** How many turns of the event loop may pass while virtual time stands still. */
  readonly turnsMax: number;
}

/** After so many turns in which nothing happened, what is waited for needs time to pass. */
const quietTurns = 50;

/**
 * The data, the clock, and the process that runs on them; processes come and go. It drives the event loop: `idle` is
 * over when nothing can happen any more unless time passes.
 */
export class Session {
  readonly options: SessionOptions;
  readonly clock: VirtualClock;
  readonly observer: Engine;
  readonly recording: Recording;
  readonly points: CrashPoints = createCrashPoints();
  readonly faults = new Set<FaultHook>();
  services: readonly Service[];
  /** How often a process has died. */
  crashes = 0;
  readonly #world: MemoryWorld;
  #process: TestProcess;
  #processes = 0;

  static async open(options: SessionOptions, services: readonly Service[]): Promise<Session> {
    const world = memoryWorld({ clock: options.platform.clock });
    const session = new Session(options, services, world, await world.open({ platform: options.platform }));
    world.fail((call) => session.#fault(call));
    await session.#start();
    return session;
  }

  private constructor(options: SessionOptions, services: readonly Service[], world: MemoryWorld, observer: Engine) {
    this.options = options;
    this.clock = options.platform.clock;
    this.services = services;
    this.observer = observer;
    this.recording = createRecording(observer, options.app.name);
    this.#world = world;
    this.#process = this.#create();
  }

  get process(): TestProcess {
    return this.#process;
  }

  /** Runs what can run without time passing; undefined when all of it has run, else why not. Restarts a process that dies on the way. */
  async idle(): Promise<Unrest | undefined> {
    for (let turns = 0; turns < this.options.turnsMax; turns++) {
      await turn();
      if (!this.#process.alive()) await this.#restart();
      else if (this.clock.soonPending() > 0) continue;
      else if (this.#dueNow()) this.clock.fireNext();
      else {
        const running = this.#process.handlers.running().filter((run) => !run.waitsForCommit());
        if (running.length === 0) return undefined;
        if (running.every(({ waitedMs }) => waitedMs >= this.options.handlerTimeoutMs))
          return { kind: "handlers", count: running.length };
        await this.#process.handlers.changed();
      }
    }
    return { kind: "endless" };
  }

  /** Lets time pass, timer by timer. Handlers that await something real are waited for before each step. */
  async advance(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.idle();
    for (let at = this.clock.nextTimerAt(); at !== undefined && at <= until; at = this.clock.nextTimerAt()) {
      this.clock.fireNext();
      if ((await this.idle())?.kind === "endless") return;
    }
    await this.clock.advance(Math.max(0, until - this.clock.now()));
  }

  /** Waits for work of the application; lets time pass where it waits for nothing else. */
  async drive<Result>(work: Promise<Result>): Promise<Result> {
    const process = this.#process;
    let done = false;
    const over = (): void => void (done = true);
    work.then(over, over);
    for (let quiet = 0; !done; quiet++) {
      await turn();
      // One that waits for a commit waits for time to pass.
      if (this.clock.soonPending() > 0 || process.handlers.running().some((run) => !run.waitsForCommit())) quiet = 0;
      if (quiet < quietTurns) continue;
      if (!process.alive())
        throw new TidingsError("TIDINGS_OUTCOME_UNKNOWN", "The process died before the call was answered.");
      if (!this.clock.fireNext()) await process.handlers.changed();
      quiet = 0;
    }
    return work;
  }

  /** Kills the process and starts a new one on the same data. */
  async crash(services: readonly Service[] = this.services): Promise<void> {
    this.services = services;
    this.#die();
    await this.#restart();
  }

  /** Stops the process as a deploy does and starts a new one. */
  async replace(services: readonly Service[]): Promise<void> {
    const process = this.#process;
    try {
      await this.drive(process.app.stop());
    } catch (error) {
      // Handlers that run to their end may come to a crash point.
      if (process.alive()) throw error;
    }
    this.services = services;
    await this.#restart();
  }

  async close(): Promise<void> {
    this.#process.die();
    await this.observer.close();
  }

  #create(): TestProcess {
    const { app, platform } = this.options;
    return createProcess({
      app,
      platform,
      services: this.services,
      world: this.#world,
      memberId: `test-${++this.#processes}`,
      handlerBegins: (run) => !this.#dies(this.points.handlerBegins(run)),
      handlerEnded: (run) => this.points.handlerEnded(run),
    });
  }

  /** A process may die before it has started, at a crash point. */
  async #start(): Promise<void> {
    const process = this.#process;
    try {
      await this.drive(process.app.start());
    } catch (error) {
      if (process.alive()) throw error;
      await this.#restart();
    }
  }

  async #restart(): Promise<void> {
    const { leases } = this.observer;
    const dead = (await leases?.list("")) ?? [];
    await leases?.release(dead.filter(({ owner }) => memberOf(owner) === this.#process.memberId));
    this.#process = this.#create();
    await this.#start();
  }

  #die(): void {
    this.crashes += 1;
    this.points.processDied();
    this.#process.die();
  }

  #dies(crash: ArmedCrash | undefined): boolean {
    if (!crash) return false;
    this.services = crash.services ?? this.services;
    this.#die();
    return true;
  }

  /** Looks at every call on its way to the data: the dead write nothing, then come crash points, then faults. */
  #fault(call: MemoryCall): MemoryFault | undefined {
    if (call.engine === this.observer) return undefined;
    if (!this.#process.alive() || !this.#process.owns(call.engine)) return { fail: "before", error: died() };
    const crash = call.transaction && isCommit(call.transaction) ? this.points.commits(call.transaction) : undefined;
    if (crash?.at === "before-commit" && this.#dies(crash)) return { fail: "before", error: died() };
    let fault: MemoryFault | undefined;
    for (const hook of this.faults) fault ??= hook(call);
    if (fault?.fail !== "before") this.recording.note(call);
    if (crash && this.#dies(crash)) return { fail: "after" };
    return fault;
  }

  #dueNow(): boolean {
    const at = this.clock.nextTimerAt();
    return at !== undefined && at <= this.clock.now();
  }
}

const died = (): TidingsError => new TidingsError("TIDINGS_CLOSED", "The process under test has died.");

/** One turn of the real event loop: everything that waits for one has it. */
const turn = (): Promise<void> => new Promise((resolve) => systemClock.soon(resolve));
