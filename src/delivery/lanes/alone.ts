import type { Claims } from "../commit/claims.ts";
import { leave } from "../guards/entrance.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import { sleep } from "../../platform/clock.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Delivery } from "./delivery.ts";
import type { Door } from "./door.ts";
import type { Lane } from "./lane.ts";

/** What runs by themselves work with. */
export interface AloneOptions {
  readonly runtime: SubscriptionRuntime;
  readonly claims: Claims;
  readonly held: HeldKeys;
  readonly door: Door;
}

/** What becomes of runs by themselves, in the hands of the lanes. */
export interface AloneRuns {
  /** It has a slot now. */
  took(delivery: Delivery): void;
  begin(delivery: Delivery): void;
  /** Gives its slot back, and its turn at a hot document. */
  release(delivery: Delivery): void;
  abandon(delivery: Delivery): void;
  /** The lane is looked at again as soon as something may start. */
  goOn(lane: Lane): void;
  /** Whether nothing of the partition may start for now: the subscription is paused, or an event blocks its partition. */
  heldUp(): boolean;
  stopped(): boolean;
}

/** Says in the store that a delivery runs, before it does; false when it must not run. Never rejects. */
export type ClaimRun = () => Promise<boolean>;

interface Run {
  /** Undefined once it is done. */
  claim: ClaimRun | undefined;
  readonly told: () => void;
}

/** How long to wait after a claim could not be written, in milliseconds. */
const againMs = 50;

/**
 * The deliveries of a partition that do not run in their turn: heads of held keys, and suspects. Each takes a slot, then passes
 * its guards, so that what they let through begins at once, and then says in the store that it runs.
 */
export class Alone {
  readonly #options: AloneOptions;
  readonly #runs: AloneRuns;
  readonly #open = new Map<Delivery, Run>();

  constructor(options: AloneOptions, runs: AloneRuns) {
    this.#options = options;
    this.#runs = runs;
  }

  has(delivery: Delivery): boolean {
    return this.#open.has(delivery);
  }

  /** Runs one delivery by itself; resolves when it is settled, held, put back or given up. */
  run(delivery: Delivery, claim?: ClaimRun): Promise<void> {
    return this.#told(delivery, claim ?? this.#claimOf(delivery), () => this.again(delivery));
  }

  /** Runs a suspect whose turn it is in its lane, in the slot that it has: nothing else begins in this process meanwhile. */
  runSuspect(delivery: Delivery): void {
    const { gate } = this.#options.runtime;
    gate.enter();
    const run = (): Promise<void> => this.#told(delivery, this.#claimOf(delivery), () => void this.#enter(delivery));
    void gate.alone(run).finally(() => gate.leave());
  }

  /** Takes a slot, and begins; also when it has to run once more. */
  again(delivery: Delivery): void {
    if (this.#runs.stopped()) return this.giveUp(delivery);
    if (!this.#options.runtime.slots.take(() => this.again(delivery))) return;
    if (delivery.lane) delivery.lane.running = delivery;
    this.#runs.took(delivery);
    void this.#enter(delivery);
  }

  /** Nobody waits for it any more. */
  tell(delivery: Delivery): void {
    const run = this.#open.get(delivery);
    if (!run) return;
    this.#open.delete(delivery);
    run.told();
  }

  /** Its run has ended with a failure and nobody is dead: it is tried again when its time has come, and others go on until then. */
  outlived(delivery: Delivery): void {
    if (!this.has(delivery)) return;
    void this.#options.claims.acquit();
    this.tell(delivery);
  }

  giveUp(delivery: Delivery): void {
    leave(delivery, "unknown");
    this.tell(delivery);
  }

  tellAll(): void {
    for (const delivery of Array.from(this.#open.keys())) this.tell(delivery);
  }

  #told(delivery: Delivery, claim: ClaimRun | undefined, start: () => void): Promise<void> {
    return new Promise((told) => {
      this.#open.set(delivery, { claim, told });
      start();
    });
  }

  #claimOf(delivery: Delivery): ClaimRun | undefined {
    return delivery.suspect ? () => this.#claimSolo(delivery) : undefined;
  }

  /** However often the store must be asked: a death that nobody can be blamed for would come again and again. */
  async #claimSolo({ record, tries }: Delivery): Promise<boolean> {
    const { claims, runtime } = this.#options;
    while (!this.#runs.stopped()) {
      try {
        await claims.solo(record.position, tries.stalls);
        return true;
      } catch {
        await sleep(runtime.platform.clock, againMs);
      }
    }
    return false;
  }

  async #enter(delivery: Delivery): Promise<void> {
    const run = this.#open.get(delivery);
    if (!run || this.#runs.stopped()) return this.#runs.abandon(delivery);
    if (!this.#admits(delivery)) return this.#waitAgain(delivery);
    if (run.claim) {
      const mayRun = await run.claim();
      if (this.#runs.stopped()) return this.#runs.abandon(delivery);
      if (!mayRun) return this.#putBack(delivery);
      run.claim = undefined;
    }
    this.#runs.begin(delivery);
  }

  /** What is given up without a run waits for no guard. */
  #admits(delivery: Delivery): boolean {
    const { held, door } = this.#options;
    if (delivery.held) return delivery.commitError !== undefined || held.admits(delivery);
    if (this.#runs.heldUp()) return false;
    return delivery.commitError !== undefined || door.admits(delivery, delivery.lane as Lane);
  }

  /** Others came first, to its guards or to what holds up the partition: it waits for its turn there, and is what it was. */
  #waitAgain(delivery: Delivery): void {
    const { lane } = delivery;
    this.#runs.release(delivery);
    this.tell(delivery);
    if (!lane) return;
    lane.queue.unshift(delivery);
    void this.#options.claims.acquit();
    // What waits for a guard is woken by it.
    if (this.#runs.heldUp()) this.#runs.goOn(lane);
  }

  #putBack(delivery: Delivery): void {
    leave(delivery, "unknown");
    this.#runs.release(delivery);
    this.tell(delivery);
    if (delivery.held) this.#options.held.putBack(delivery.held, delivery.tries);
  }
}
