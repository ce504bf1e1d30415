import { TidingsError } from "../../errors/tidings-error.ts";
import type { AppOptions } from "../../app/options.ts";
import type { Service } from "../../delivery/service.ts";
import type { Contract } from "../../event/contract.ts";
import type { PublishOptions } from "../../event/encode.ts";
import type { Topic } from "../../event/contract.ts";
import { checkOptions } from "../../lib/options.ts";
import type { CrashPoint } from "../crash-points.ts";
import type { Dice } from "../sim/dice.ts";

/** An event to publish, as for `app.publishAll`. */
export type CrashPublication = readonly [contract: Contract, data: unknown, options?: PublishOptions];

/** What a workload may do: the part of a simulation's workload that needs no faults, so that one function serves both. */
export interface CrashWorkload {
  /** Chance that is the same in every run. */
  readonly dice: Dice;
  readonly seed: number;
  /** Publishes an event, and resolves when everything that follows from it has come to rest. */
  readonly publish: (publication: CrashPublication) => Promise<void>;
  /** The same for a batch. */
  readonly publishAll: (publications: readonly CrashPublication[]) => Promise<void>;
  /** Lets virtual time pass. */
  readonly sleep: (delayMs: number) => Promise<void>;
}

/** What the services of a run are made with. */
export interface CrashStart {
  /** Rises with each deploy of a simulation; 1 here. */
  readonly epoch: number;
  readonly seed: number;
  /**
   * The world outside of the system, empty at the beginning of each run: what a handler does besides its context (a mail
   * that it sends) counts here under a name, so that repetitions are seen.
   */
  readonly outside: Map<string, number>;
}

/** What `crashTest` takes. */
export interface CrashTestOptions {
  /** Name of the application; `crash`. */
  readonly name?: string;
  /** What runs, or a function that makes it anew for each run. */
  readonly services: readonly Service[] | ((start: CrashStart) => readonly Service[]);
  readonly topics?: readonly Topic[];
  /** What else `tidings()` is given. */
  readonly app?: Partial<Omit<AppOptions, "url" | "engine" | "platform" | "memberId">>;
  /** Publishes what there is to handle; runs once for each step. */
  readonly workload: (workload: CrashWorkload) => Promise<void>;
  /** How often the process dies at each point, one time after the other; 1. */
  readonly times?: number;
  /** Of all chance; 1. */
  readonly seed?: number;
  /** Only handlers of this service. */
  readonly service?: string;
  /** Hears of each step when it is over. */
  readonly onStep?: (step: CrashStep, done: number, of: number) => void;
}

/** One crash and what came of it. */
export interface CrashStep {
  readonly point: CrashPoint;
  readonly service: string;
  /** Type of the event that was handled. */
  readonly event: string;
  /** How often the process died; 0 when the workload led to no such handler. */
  readonly crashes: number;
  /** Events that are missing, that are there too often, and that stand in another order than without the crash. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  /** What is not done in the end, dead letters included, documents that are not as they should be, and counts that do not add up. */
  readonly leftOver: number;
  /** What was done outside once more than without the crash: not wrong, since no system can undo it. */
  readonly outside: number;
  /** All of it in words. */
  readonly findings: readonly string[];
}

/** What a crash test has found. */
export interface CrashReport {
  readonly steps: readonly CrashStep[];
  readonly crashes: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly leftOver: number;
  readonly outside: number;
}

/** Options with everything in place. */
export interface CheckedCrashTest extends CrashTestOptions {
  readonly times: number;
  readonly seed: number;
}

const names = ["name", "services", "topics", "app", "workload", "times", "seed", "service", "onStep"];

/** What a module for `simulate` may hold besides, and what has no meaning here. */
const ofSimulations = ["expect", "check", "seeds", "faults", "keep", "events", "shrinkRunsMax", "wrapEngine", "onSeed"];

/** Refuses options that cannot be meant. Throws TIDINGS_INVALID_OPTION. */
export function checkCrashTest(options: CrashTestOptions): CheckedCrashTest {
  checkOptions("crashTest()", options, [...names, ...ofSimulations]);
  const { times = 1, seed = 1 } = options;
  if (typeof options.workload !== "function")
    throw invalid("needs a workload: a function that publishes, crashTest({ services, workload }).");
  if (typeof options.services !== "function" && !Array.isArray(options.services))
    throw invalid("needs services: a list, or a function that makes one for each run.");
  if (!Number.isInteger(times) || times < 1) throw invalid("takes a whole number of at least 1 as times.");
  if (!Number.isInteger(seed)) throw invalid("takes a whole number as seed.");
  return { ...options, times, seed };
}

function invalid(what: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `crashTest() ${what}`);
}
