import { createAdmin, type Admin } from "../../admin/admin.ts";
import { serviceState } from "../../app/service-state.ts";
import type { Service } from "../../delivery/service.ts";
import { memoryWorld } from "../../engines/memory/factory.ts";
import { systemClock } from "../../platform/system.ts";
import { virtualPlatform } from "../../platform/virtual.ts";
import { composeEngine } from "../../outbox/composed.ts";
import type { Engine } from "../../ports/engine.ts";
import { check } from "../check/check.ts";
import type { History } from "../check/history.ts";
import type { Violation } from "../check/violation.ts";
import { Chaos } from "./chaos.ts";
import { Dice } from "./dice.ts";
import type { FaultKind } from "./fault-kinds.ts";
import { drawFaults, type PlannedFault } from "./fault-plan.ts";
import { readHistory, readLog, withoutRepeats } from "./final-reads.ts";
import { heal } from "./heal.ts";
import { epochMs, NodeClock } from "./node-clock.ts";
import { type NodeContext, SimNode } from "./node.ts";
import type { CheckedOptions, NodeStart } from "./options.ts";
import { Scheduler } from "./scheduler.ts";
import { drawSwarm, type Swarm } from "./swarm.ts";
import { Trace } from "./trace.ts";
import { Witness } from "./witness.ts";
import { Publishers } from "./workload.ts";

/** What is run of a seed: all of it, or less when a failure is made smaller. */
export interface SeedPlan {
  readonly seed: number;
  /** Only these faults. */
  readonly keep: readonly number[] | undefined;
  readonly events: number | undefined;
}

/** What a seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly acknowledged: number;
  readonly trace: string;
  readonly violations: readonly Violation[];
  readonly swarm: Swarm;
  /** Numbers of the faults that were planned. */
  readonly planned: readonly number[];
}

/** Runs one seed from its beginning to the last read. */
export async function runSeed(options: CheckedOptions, { seed, keep, events }: SeedPlan): Promise<SeedResult> {
  const drawn = drawSwarm(seed, options.kinds, options.apart ?? false);
  const swarm = events === undefined ? drawn : { ...drawn, events };
  const all = drawFaults(seed, swarm);
  const faults = keep ? all.filter(({ index }) => keep.includes(index)) : all;
  const run = await Run.open(options, seed, swarm);
  const violations = await run.play(faults);
  return {
    seed,
    steps: run.scheduler.steps,
    virtualMs: run.scheduler.nowMs,
    faults: run.chaos.counts,
    acknowledged: run.acknowledged(),
    trace: run.trace.toString(),
    violations,
    swarm,
    planned: faults.map(({ index }) => index),
  };
}

/** A seed as it runs. */
class Run {
  readonly trace = new Trace();
  readonly scheduler: Scheduler;
  readonly witness: Witness;
  readonly nodes: readonly SimNode[];
  readonly publishers: Publishers;
  readonly chaos: Chaos;
  readonly #options: CheckedOptions;
  readonly #seed: number;
  readonly #swarm: Swarm;
  readonly #observer: Engine;
  readonly #services: readonly Service[];
  readonly #outside = new Map<string, number>();

  static async open(options: CheckedOptions, seed: number, swarm: Swarm): Promise<Run> {
    const store = { offsetMs: 0, now: (): number => 0 };
    const clock = { ...systemClock, now: () => store.now() + store.offsetMs };
    const world = memoryWorld({ clock });
    const broker = swarm.apart ? memoryWorld({ clock }) : undefined;
    // It has a clock of its own, so that looking takes no time and is no step.
    const look = { platform: virtualPlatform({ seed }) };
    const looked = await world.open(look);
    const observer = broker ? await composeEngine(await broker.open(look), looked) : looked;
    return new Run(options, seed, swarm, { world, broker }, observer, store);
  }

  private constructor(
    options: CheckedOptions,
    seed: number,
    swarm: Swarm,
    { world, broker }: Pick<NodeContext, "world" | "broker">,
    observer: Engine,
    store: { offsetMs: number; now: () => number },
  ) {
    this.#options = options;
    this.#seed = seed;
    this.#swarm = swarm;
    this.#observer = observer;
    const { trace } = this;
    this.scheduler = new Scheduler(({ atMs, owner }) => {
      trace.number(atMs);
      trace.number(owner?.number ?? -1);
    });
    const { scheduler } = this;
    store.now = () => Math.floor(epochMs + scheduler.nowMs);
    const name = options.name ?? "sim";
    this.witness = new Witness(scheduler, trace, { swarm, epochMs, name });
    const { witness } = this;
    const context: NodeContext = {
      seed, swarm, scheduler, world, broker, witness, name,
      app: options.app ?? {},
      services: (epoch, die, alive) => this.#servicesOf(epoch, die, alive),
      topics: options.topics ?? [],
      wrapEngine: options.wrapEngine,
    }; // prettier-ignore
    this.#services = this.#servicesOf(
      1,
      () => undefined,
      () => false,
    );
    this.nodes = Array.from({ length: swarm.nodes }, (_, number) => new SimNode(number, context));
    const { nodes } = this;
    this.publishers = new Publishers({
      name, nodes, scheduler, swarm,
      dice: new Dice(seed, "workload"),
      seed, observer,
      unexpected: (what, error) => this.#unexpected(what, error),
      violation: (message) => void witness.violations.push({ invariant: "OWN", message }),
    }); // prettier-ignore
    const subscriptions = this.#subscriptions();
    this.chaos = new Chaos({
      seed, nodes, scheduler, subscriptions, observer, dependencies: witness.dependencies,
      movable: subscriptions.filter((each) => options.expect?.[each]?.movable === true),
      keys: () => [...this.publishers.keys, "nobody"],
      unexpected: (what, error) => this.#unexpected(what, error),
      jumpStore: (ms) => void (store.offsetMs += ms),
      nodeOf: ({ engine }) => nodes[witness.nodeOf(engine) ?? -1],
    }); // prettier-ignore
    for (const each of [world, ...(broker ? [broker] : [])]) {
      each.fail((call) => {
        witness.attempted(call);
        return this.chaos.fault(call);
      });
      each.observe((call, result) => witness.applied(call, result));
    }
  }

  #servicesOf(epoch: number, die: () => void, alive: () => boolean): readonly Service[] {
    const { services } = this.#options;
    if (typeof services !== "function") return services;
    const { dependencies } = this.witness;
    const reach: NodeStart["reach"] = (dependency, work) => dependencies.reach(dependency, alive, work);
    return services({ epoch, swarm: this.#swarm, seed: this.#seed, outside: this.#outside, die, reach });
  }

  #subscriptions(): readonly string[] {
    const names = this.#services.flatMap(({ name, routes }) =>
      [...routes.values()].map(({ contract }) => `${name}/${contract.topic.name}`),
    );
    return [...new Set(names)];
  }

  #unexpected(what: string, error: unknown): void {
    const message = `${what} was answered by an error that is none of ours: ${(error as Error)?.stack ?? String(error)}`;
    this.witness.violations.push({ invariant: "I2", message });
  }

  acknowledged(): number {
    return this.publishers.published.filter(({ answer }) => answer === "acknowledged").length;
  }

  /** Safety, healing, liveness, last reads. */
  async play(faults: readonly PlannedFault[]): Promise<readonly Violation[]> {
    const { scheduler, chaos, nodes, witness } = this;
    const startDice = new Dice(this.#seed, "start");
    for (const node of nodes) scheduler.at(startDice.spread(0.1, 300), () => node.start());
    let working = true;
    const stopped = (error?: unknown): void => {
      working = false;
      if (error) this.#unexpected("the workload", error);
    };
    this.#options.workload(this.publishers).then(() => stopped(), stopped);
    chaos.begin(faults);
    await scheduler.runUntil(this.#swarm.safetyMs);
    chaos.end();
    await heal({
      scheduler, nodes,
      epoch: () => chaos.epoch,
      observer: this.#observer,
      admin: this.#healer(),
      working: () => working || chaos.busy,
      redrive: startDice.chance(0.5),
      operations: this.#swarm.kinds.includes("redrive-operation") ? new Dice(this.#seed, "operations") : undefined,
      witness,
    }); // prettier-ignore
    const history = await this.#history();
    const own = (await this.#options.check?.(this.#end(history))) ?? [];
    const { violations } = check(history);
    return [...witness.violations, ...witness.redrives.violations, ...violations, ...own];
  }

  /** An operator whose tools never fail. */
  #healer(): Admin {
    const dice = new Dice(this.#seed, "healer");
    const owner = { number: -2, admit: () => "run" as const };
    const clock = new NodeClock(this.scheduler, owner, { dice, hopMs: 0, rate: 1, offsetMs: 0 });
    const platform = { ...virtualPlatform({ seed: this.#seed }), clock };
    return createAdmin({ engine: this.#observer, platform, by: "healer", memberId: "healer.0.0" });
  }

  #history(): Promise<History> {
    return readHistory({
      engine: this.#observer,
      witness: this.witness,
      publishes: this.publishers.published,
      services: this.#services,
      expect: this.#options.expect ?? {},
      nowMs: epochMs + this.scheduler.nowMs,
    });
  }

  #end(history: History): Parameters<NonNullable<CheckedOptions["check"]>>[0] {
    return {
      seed: this.#seed,
      swarm: this.#swarm,
      history,
      faults: this.chaos.counts,
      outside: this.#outside,
      state: async <Value>(service: string, box: string) => {
        const found = new Map<string, Value>();
        for await (const [key, value] of serviceState<Value>(this.#observer, service, box).entries())
          found.set(key, value);
        return found;
      },
      log: async (topic: string) =>
        withoutRepeats(await readLog(this.#observer))
          .filter((record) => record.topic === topic)
          .map(({ id, key, type, data, partition, position, attributes, source }) => {
            const value: unknown = typeof data === "string" ? JSON.parse(data) : data;
            return {
              id,
              key,
              type,
              data: value,
              partition,
              position,
              causationid: attributes?.["causationid"],
              source,
            };
          }),
    };
  }
}
