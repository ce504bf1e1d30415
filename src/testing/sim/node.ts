import { type App, tidings } from "../../app/app.ts";
import type { AppOptions } from "../../app/options.ts";
import { silentLogger } from "../../delivery/log.ts";
import type { Service } from "../../delivery/service.ts";
import type { Topic } from "../../event/contract.ts";
import type { MemoryWorld } from "../../engines/memory/factory.ts";
import { uuid7Source } from "../../platform/uuid7.ts";
import type { Engine, EngineContext } from "../../ports/engine.ts";
import { Dice } from "./dice.ts";
import { NodeClock } from "./node-clock.ts";
import type { Callback, CallbackOwner, Scheduler } from "./scheduler.ts";
import type { Swarm } from "./swarm.ts";
import type { Witness } from "./witness.ts";

/** What the nodes of a simulation share. */
export interface NodeContext {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly scheduler: Scheduler;
  /** Where state lives, and events unless there is a broker. */
  readonly world: MemoryWorld;
  /** Where events live; undefined where broker and store are one engine. */
  readonly broker: MemoryWorld | undefined;
  readonly witness: Witness;
  /** What users give for `tidings()`. */
  readonly app: Partial<AppOptions>;
  readonly name: string;
  readonly services: (epoch: number, die: () => void, alive: () => boolean) => readonly Service[];
  readonly topics: readonly Topic[];
  /** Puts something around the engine of a node. */
  readonly wrapEngine: ((engine: Engine) => Engine) | undefined;
}

/** One start of a process. */
class Incarnation implements CallbackOwner {
  readonly number: number;
  alive = true;
  paused = false;
  stopping = false;
  readonly kept: Callback[] = [];
  /** Set when the application has started. */
  running: App | undefined;
  app: App | undefined;
  /** The engines that it has opened, with the data that they work on. */
  readonly engines = new Map<Engine, MemoryWorld>();

  constructor(number: number) {
    this.number = number;
  }

  admit(callback: Callback): "run" | "keep" | "drop" {
    if (!this.alive) return "drop";
    if (!this.paused) return "run";
    this.kept.push(callback);
    return "keep";
  }
}

/** A place where processes of the application run, one after the other. */
export class SimNode {
  readonly number: number;
  readonly #context: NodeContext;
  #current: Incarnation | undefined;
  #starts = 0;
  /** The definition that it starts with. */
  epoch = 1;
  clock: NodeClock | undefined;
  /** How far its wall clock is off; stays over restarts, as the clock of a machine does. */
  offsetMs = 0;
  /** How fast its clock runs. */
  rate = 1;
  /** What it dies at: its next write. */
  dieAt: "before-write" | "after-write" | undefined;

  constructor(number: number, context: NodeContext) {
    this.number = number;
    this.#context = context;
  }

  /** The application, while it runs and answers. */
  get app(): App | undefined {
    return this.#current?.alive === true ? this.#current.running : undefined;
  }

  get alive(): boolean {
    return this.#current?.alive ?? false;
  }

  get paused(): boolean {
    return this.#current?.paused ?? false;
  }

  /** Distinguishes the processes of a node: what one was asked must not be answered by the next. */
  get incarnation(): object | undefined {
    return this.#current;
  }

  get name(): string {
    return `n${this.number}`;
  }

  /** Whether the engine belongs to the process that runs here now. */
  owns(engine: Engine): boolean {
    return this.alive && this.#current?.engines.has(engine) === true;
  }

  /** Starts a process. One that cannot start is tried again, as a supervisor does. */
  start(): void {
    if (this.alive) return;
    const { seed, swarm, scheduler, world, broker, witness, name, services, topics, app: given } = this.#context;
    const start = ++this.#starts;
    const mine = new Incarnation(this.number);
    this.#current = mine;
    const dice = new Dice(seed, `node ${this.number}/${start}`);
    const clock = new NodeClock(scheduler, mine, {
      dice,
      hopMs: swarm.hopMs,
      rate: this.rate,
      offsetMs: this.offsetMs,
    });
    this.clock = clock;
    const { random } = dice;
    const memberId = swarm.staticMembers ? this.name : `${this.name}-${start}`;
    const app = tidings({
      logger: silentLogger,
      memberTtlMs: swarm.memberTtlMs,
      drainTimeoutMs: swarm.drainTimeoutMs,
      partitions: swarm.partitions,
      ...given,
      name,
      services: services(
        this.epoch,
        () => this.#die(mine, dice),
        () => mine.alive,
      ),
      topics,
      memberId,
      hooks: witness.hooksOf(memberId, () => mine.alive),
      platform: { clock, random, ids: uuid7Source(clock, random) },
      engine: { open: (context) => this.#open(mine, memberId, broker ?? world, context) },
      ...(broker ? { store: { open: (context) => this.#open(mine, memberId, world, context) } } : {}),
    });
    mine.app = app;
    app.start().then(
      () => {
        if (mine.alive && !mine.stopping) mine.running = app;
      },
      (error: unknown) => {
        if (!mine.alive) return;
        witness.startFailed(error);
        this.#bury(mine);
        scheduler.at(scheduler.nowMs + dice.between(100, 1500), () => this.start());
      },
    );
  }

  async #open(mine: Incarnation, memberId: string, world: MemoryWorld, context: EngineContext): Promise<Engine> {
    const engine = await world.open(context);
    mine.engines.set(engine, world);
    this.#context.witness.opened(engine, memberId, this.number);
    return this.#context.wrapEngine?.(engine) ?? engine;
  }

  /** What runs here has brought its process down. */
  #die(mine: Incarnation, dice: Dice): void {
    if (!mine.alive) return;
    const { scheduler } = this.#context;
    this.#bury(mine);
    scheduler.at(scheduler.nowMs + dice.between(50, 500), () => this.start());
  }

  /** Ends the process as SIGKILL would. */
  crash(): void {
    if (this.#current?.alive === true) this.#bury(this.#current);
  }

  #bury(mine: Incarnation): void {
    mine.alive = false;
    mine.running = undefined;
    mine.kept.length = 0;
    this.dieAt = undefined;
    this.#context.witness.died(`${this.number}`);
    for (const [engine, world] of mine.engines) world.crash(engine);
  }

  /** Ends the process as a deploy does; resolves when it has ended, or died meanwhile. */
  async stop(): Promise<void> {
    const mine = this.#current;
    if (!mine?.alive || !mine.app) return;
    mine.running = undefined;
    mine.stopping = true;
    let over = false;
    const finish = (): void => void (over = true);
    mine.app.stop().then(finish, finish);
    while (!over && mine.alive) await this.#context.scheduler.sleep(50);
    if (mine.alive) this.#bury(mine);
  }

  /** Nothing of the process happens until `resume`. */
  pause(): void {
    if (this.#current?.alive === true) this.#current.paused = true;
  }

  resume(): void {
    const mine = this.#current;
    if (!mine?.alive || !mine.paused) return;
    mine.paused = false;
    for (const callback of mine.kept.splice(0)) this.#context.scheduler.again(callback);
  }

  /** Lets the wall clock jump. */
  jump(ms: number): void {
    this.offsetMs += ms;
    if (this.clock) this.clock.offsetMs = this.offsetMs;
  }
}
