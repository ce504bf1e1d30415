import type { Dependency, RateOptions } from "../../delivery/guards/dependency.ts";
import type { BreakerDocument } from "../../delivery/guards/breaker-document.ts";
import { collections } from "../../delivery/records.ts";
import type { Transaction } from "../../ports/transaction.ts";
import type { DependencyEnd } from "../check/history.ts";
import type { Dice } from "./dice.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Swarm } from "./swarm.ts";

/** A call that goes on. */
interface OpenCall {
  readonly alive: () => boolean;
}

interface Reached {
  rate: RateOptions | undefined;
  readonly beganAtMs: number[];
  readonly probes: Set<OpenCall>;
  probesMost: number;
  breaker: BreakerDocument["state"];
  /** Since when its breaker is not closed. */
  openSinceMs: number | undefined;
  /** Whether a call that began when everybody knew of that has succeeded since. */
  hasSucceeded: boolean;
}

/** After so long every process has heard that a breaker is not closed, in milliseconds. */
const knownAfterMs = 300;

/** Faults after which a process may call though it could know better, or later than it was let. */
const blinding: ReadonlySet<FaultKind> = new Set([
  "pause", "slow", "late-answer", "read-fails", "lease-fails", "write-unknown", "clock-jump", "clock-drift", "store-jump",
]); // prettier-ignore

/** What handlers call outside of the system, which fails for a while; and the breakers that stand before it. */
export class Dependencies {
  readonly #scheduler: Scheduler;
  readonly #isExact: boolean;
  readonly #slackMs: number;
  readonly #reached = new Map<string, Reached>();
  #down: { readonly untilMs: number; readonly rate: number; readonly dice: Dice } | undefined;
  #onFailed: () => void = () => undefined;

  constructor(scheduler: Scheduler, { kinds, hopMs }: Swarm) {
    this.#scheduler = scheduler;
    this.#isExact = !kinds.some((kind) => blinding.has(kind));
    // From being let through to the call there are some turns, and what a process has taken lapses after a tenth of a second.
    this.#slackMs = 200 + 40 * hopMs;
  }

  /** Fails from now on; `onFailed` hears of each call that does. */
  fail(forMs: number, rate: number, dice: Dice, onFailed: () => void): void {
    this.#down = { untilMs: this.#scheduler.nowMs + forMs, rate, dice };
    this.#onFailed = onFailed;
  }

  /** Nothing fails any more. */
  heal(): void {
    this.#down = undefined;
  }

  /** A call as it arrives; `alive` says whether the process that made it is there. */
  async reach(dependency: Dependency, alive: () => boolean, work: () => Promise<void>): Promise<void> {
    const reached = this.#of(dependency.name);
    reached.rate = dependency.rate;
    const { nowMs } = this.#scheduler;
    reached.beganAtMs.push(nowMs);
    const isProbe = reached.openSinceMs !== undefined && nowMs - reached.openSinceMs > knownAfterMs + this.#slackMs;
    const call: OpenCall = { alive };
    if (isProbe) this.#probing(reached, call);
    const down = this.#down;
    const isDown = down !== undefined && nowMs < down.untilMs && down.dice.chance(down.rate);
    try {
      await work();
      if (isDown) throw new Error("the dependency fails");
      if (isProbe) reached.hasSucceeded = true;
    } finally {
      reached.probes.delete(call);
      if (isDown) this.#onFailed();
    }
  }

  #probing(reached: Reached, call: OpenCall): void {
    const { probes } = reached;
    for (const one of probes) if (!one.alive()) probes.delete(one);
    probes.add(call);
    reached.probesMost = Math.max(reached.probesMost, probes.size);
  }

  #of(name: string): Reached {
    let found = this.#reached.get(name);
    if (!found) {
      found = { rate: undefined, beganAtMs: [], probes: new Set(), probesMost: 0, breaker: "closed", openSinceMs: undefined, hasSucceeded: false }; // prettier-ignore
      this.#reached.set(name, found);
    }
    return found;
  }

  /** A transaction that took effect. */
  committed({ documents = [] }: Transaction): void {
    for (const { collection, key, value } of documents) {
      if (collection !== collections.breakers || value === null) continue;
      const reached = this.#of(key);
      reached.breaker = (JSON.parse(value) as BreakerDocument).state;
      if (reached.breaker !== "closed") reached.openSinceMs ??= this.#scheduler.nowMs;
      else {
        reached.openSinceMs = undefined;
        reached.hasSucceeded = false;
      }
    }
  }

  ends(): readonly DependencyEnd[] {
    return [...this.#reached].map(([name, { rate, beganAtMs, probesMost, breaker, hasSucceeded }]) => {
      const perSecond = rate?.perSecond ?? 0;
      const burst = rate?.burst ?? Math.max(1, perSecond);
      const slice = Math.max(1, Math.min(Math.floor(burst), Math.ceil(perSecond / 10)));
      return {
        name,
        breaker,
        // A probe that has lost its lease meanwhile may not say that it succeeded; whoever comes next probes again.
        isStuck: this.#isExact && breaker !== "closed" && hasSucceeded,
        ...(this.#isExact ? { probesMost } : {}),
        ...(rate && this.#isExact
          ? { rate: { perSecond, most: burst + slice, slackMs: this.#slackMs }, beganAtMs }
          : {}),
      };
    });
  }
}
