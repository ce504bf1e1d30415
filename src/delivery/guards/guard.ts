import { isTidingsError, type TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Engine } from "../../ports/engine.ts";
import { actionOf, terminalReason } from "../failure/failure.ts";
import type { LifecycleFeed } from "../lifecycle/feed.ts";
import type { Logger } from "../log.ts";
import { Breaker } from "./breaker.ts";
import type { Dependency } from "./dependency.ts";
import type { Probe } from "./probe.ts";
import { Rate } from "./rate.ts";
import { Waiters } from "./waiters.ts";

/** What all guards of a process work with. */
export interface GuardHost {
  readonly engine: Engine;
  readonly platform: Platform;
  readonly log: Logger;
  readonly feed: LifecycleFeed;
  readonly memberId: string;
  /** Who changes breakers, for people. */
  readonly by: string;
}

/** What a run of a delivery was let through with. */
export interface Pass {
  readonly guard: Guard;
  /** Set when the run is the probe of a breaker. */
  readonly probe: Probe | undefined;
  /** The slice of its rate of which it has a token that no call has used yet. */
  token: number | undefined;
}

/** Stands before the deliveries of a subscription, or of all handlers that use a dependency. */
export class Guard {
  readonly name: string;
  /** It is a subscription's own: what becomes of each delivery counts, and not single calls. */
  readonly own: boolean;
  readonly breaker: Breaker | undefined;
  readonly rate: Rate | undefined;
  readonly waiters = new Waiters();
  readonly #counts: ((error: unknown) => boolean) | undefined;

  constructor({ name, breaker, rate }: Dependency, own: boolean, host: GuardHost) {
    this.name = name;
    this.own = own;
    this.#counts = breaker?.counts;
    this.breaker = breaker && new Breaker(name, breaker, host, this.waiters);
    this.rate = rate && new Rate(name, rate, host, this.waiters, () => this.breaker?.admits() ?? true);
  }

  /** Whether something may begin now. */
  admits(): boolean {
    return (this.breaker?.admits() ?? true) && (this.rate?.has() ?? true);
  }

  /** Lets something begin. Only after `admits`. */
  enter(): Pass {
    const token = this.rate?.take();
    return { guard: this, probe: this.breaker?.enter(), token };
  }

  /** Calls `wake` when it is worth asking again. */
  wait(who: object, wake: () => void): void {
    this.waiters.add(who, wake);
    if (this.breaker?.admits() === false) this.breaker.awaited();
    else this.rate?.ask();
  }

  /** Whether an error tells against what is guarded. */
  blames(error: unknown): boolean {
    // What another guard has refused tells of that one.
    if (isRefusal(error)) return false;
    if (this.#counts) {
      try {
        return this.#counts(error);
      } catch {
        return true;
      }
    }
    const action = actionOf(error);
    return terminalReason(error) === undefined && action !== "pause" && action !== "conflict";
  }

  async stop(): Promise<void> {
    this.rate?.stop();
    await this.breaker?.stop();
  }
}

/** Whether an error says that a guard has refused a call. */
export function isRefusal(error: unknown): error is TidingsError {
  return isTidingsError(error) && (error.code === "TIDINGS_BREAKER_OPEN" || error.code === "TIDINGS_RATE_LIMITED");
}
