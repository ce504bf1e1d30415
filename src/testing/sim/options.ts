import type { AppOptions } from "../../app/options.ts";
import type { Dependency } from "../../delivery/guards/dependency.ts";
import type { Service } from "../../delivery/service.ts";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { Topic } from "../../event/contract.ts";
import { checkOptions } from "../../lib/options.ts";
import type { Engine } from "../../ports/engine.ts";
import type { History } from "../check/history.ts";
import type { Violation } from "../check/violation.ts";
import { allFaultKinds, checkFaultKinds, type FaultKind } from "./fault-kinds.ts";
import type { Swarm } from "./swarm.ts";
import { seedNumber } from "./seeds.ts";
import type { Workload } from "./workload.ts";

/** What is known of a subscription besides what it is made of. */
export interface Expectation {
  /** Every handled event publishes: then each must have done so exactly once, in the order of its key. */
  readonly publishes?: boolean;
  /** Whether effects of a key come in the order of its events; true. */
  readonly ordered?: boolean;
  /** At most once: an event may have no effects. */
  readonly mayLose?: boolean;
  /** Whether operators may move it: handling an event again must be harmless. False. */
  readonly movable?: boolean;
  /** Events that have no effects, by id: what the services drop on purpose. */
  readonly exempt?: (id: string) => boolean;
  /** After how many failures the event of this id must be a dead letter; undefined for one that need not become one. */
  readonly poison?: (id: string) => number | undefined;
}

/** What a start of a node may ask for. */
export interface NodeStart {
  /** Rises with each redeploy; give it as the service's `epoch`. */
  readonly epoch: number;
  readonly swarm: Swarm;
  readonly seed: number;
  /** A memory outside of the system, empty at the beginning of each run: for handlers that count how often they failed. */
  readonly outside: Map<string, number>;
  /** Ends this process at once, as a handler does that takes all memory; it is started again a little later. */
  readonly die: () => void;
  /**
   * Calls a dependency, which fails while the fault `dependency-fails` lasts: hand it to `ctx.call`. What the call does meanwhile,
   * such as to take its time, is `work`.
   */
  readonly reach: (dependency: Dependency, work: () => Promise<void>) => Promise<void>;
}

/** The end of a run, to look at with your own eyes. */
export interface SimulationEnd {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly history: History;
  /** Everything that a service keeps in a box. */
  state<Value>(service: string, box: string): Promise<ReadonlyMap<string, Value>>;
  /** The data of a topic, in the order of each partition. */
  log(topic: string): Promise<readonly { id: string; key: string | null; type: string; data: unknown; partition: number; position: number; causationid: string | undefined; source: string }[]>; // prettier-ignore
  /** What handlers kept outside of the system. */
  readonly outside: ReadonlyMap<string, number>;
  /** How often each kind of fault happened. */
  readonly faults: ReadonlyMap<FaultKind, number>;
}

/** What `simulate` takes. */
export interface SimulationOptions {
  /** Name of the application; `sim`. */
  readonly name?: string;
  /** What runs, or a function that is asked at each start of a node. Handlers must take time and chance from their context. */
  readonly services: readonly Service[] | ((start: NodeStart) => readonly Service[]);
  readonly topics?: readonly Topic[];
  /** What else `tidings()` is given. */
  readonly app?: Partial<AppOptions>;
  /** Publishes; runs once for each seed. */
  readonly workload: (workload: Workload) => Promise<void>;
  /** By name of a subscription, `<service>/<topic>`. */
  readonly expect?: Readonly<Record<string, Expectation>>;
  /** Looks for breaches of your own promises when everything is over. */
  readonly check?: (end: SimulationEnd) => Promise<readonly Violation[]> | readonly Violation[];
  /** How many seeds; 100. */
  readonly seeds?: number;
  /** The first of them: a number, or as it was printed; 1. */
  readonly seed?: number | string;
  /** Kinds of faults that may happen; all. */
  readonly faults?: readonly string[];
  /** Only these faults of the seed's plan, by their numbers: what a shrunk seed prints. */
  readonly keep?: readonly number[];
  /** As many events as this instead of what the seed says. */
  readonly events?: number;
  /** True: in a quarter of the seeds state lives in a store apart from the broker, and what handlers publish goes through an outbox. */
  readonly apart?: boolean;
  /** How often a run that fails is repeated to make it smaller; 60. */
  readonly shrinkRunsMax?: number;
  /** Puts something around the engine of each node: a way to plant a fault and see that it is found. */
  readonly wrapEngine?: (engine: Engine) => Engine;
  /** Hears of each seed when it is over. */
  readonly onSeed?: (done: number, of: number) => void;
}

/** Options with everything in place. */
export interface CheckedOptions extends SimulationOptions {
  readonly first: number;
  readonly count: number;
  readonly kinds: readonly FaultKind[];
}

const names = [
  "name", "services", "topics", "app", "workload", "expect", "check", "seeds", "seed", "faults", "keep", "events",
  "apart", "shrinkRunsMax", "wrapEngine", "onSeed",
]; // prettier-ignore

/** Refuses options that cannot be meant. Throws TIDINGS_INVALID_OPTION. */
export function checkSimulation(options: SimulationOptions): CheckedOptions {
  checkOptions("simulate()", options, names);
  if (typeof options.workload !== "function")
    throw invalid("needs a workload: a function that publishes, simulate({ services, workload }).");
  if (typeof options.services !== "function" && !Array.isArray(options.services))
    throw invalid("needs services: a list, or a function that gives one at each start of a node.");
  const { seeds = 100, seed = 1, faults = allFaultKinds } = options;
  for (const [name, value] of [
    ["seeds", seeds],
    ["events", options.events ?? 1],
    ["shrinkRunsMax", options.shrinkRunsMax ?? 1],
  ] as const)
    // prettier-ignore
    if (!Number.isInteger(value) || value < (name === "shrinkRunsMax" ? 0 : 1)) throw invalid(`takes a whole number of at least 1 as ${name}.`);
  return { ...options, first: seedNumber(seed), count: seeds, kinds: checkFaultKinds(faults) };
}

function invalid(what: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `simulate() ${what}`);
}
