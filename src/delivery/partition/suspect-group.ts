import type { Claims } from "../commit/claims.ts";
import type { ClaimRun } from "../lanes/alone.ts";
import type { Delivery } from "../lanes/delivery.ts";
import type { Lanes } from "../lanes/lanes.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { SubscriptionRuntime } from "../runtime.ts";

/** What is needed to run suspects together. */
export interface SuspectGroupOptions {
  readonly runtime: SubscriptionRuntime;
  readonly claims: Claims;
  readonly lanes: Lanes;
  /** Whether a suspect has to wait, in its lane, while others go on. */
  readonly mustWait: (delivery: Delivery) => boolean;
  readonly stopped: () => boolean;
}

/** So many run together: about the square root of what an owner claims, so that a death costs no more than it saves. */
const groupMax = 16;
/** How long to wait after a claim could not be written, in milliseconds. */
const againMs = 50;

/**
 * Suspects that have killed nobody yet since they are suspected. A claim covers hundreds of events, nearly all of them innocent,
 * and one at a time they would keep a whole process waiting for as long as all their handlers take. So they run a few at a time,
 * each of a key of its own, once the claim names each of them. A death under them is held against none of them; but whom a
 * claim names runs alone from then on, and there is one only who can be blamed.
 */
export class SuspectGroup {
  readonly #options: SuspectGroupOptions;
  #waiting: Delivery[] = [];

  constructor(options: SuspectGroupOptions) {
    this.#options = options;
  }

  /** Whether the next event of this key has to wait for the group: it may come to be held behind one of it. */
  has(key: string | null): boolean {
    return key !== null && this.#waiting.some(({ record }) => record.key === key);
  }

  /**
   * Nobody else of its key may be in the group. Until the group runs it waits in its lane, where everybody sees it: whoever pauses its
   * key, say. Returns whether the group is complete, and is to be run.
   */
  add(delivery: Delivery): boolean {
    this.#options.lanes.enqueue(delivery);
    this.#waiting.push(delivery);
    return this.#waiting.length >= groupMax;
  }

  /** Runs what is in it, with nothing beside it in this process; resolves when all of it has come to an end, or waits in its lane. Returns how many ran. */
  async run(): Promise<number> {
    const { runtime } = this.#options;
    let waiting = this.#waiting;
    if (waiting.length === 0) return 0;
    this.#waiting = [];
    let ran = 0;
    await runtime.gate.alone(async () => {
      for (;;) {
        waiting = this.#ready(waiting);
        if (waiting.length === 0) return;
        // No more than have a slot: who keeps one, because it blocks its partition, is nobody to wait for behind a closed gate.
        const free = Math.max(1, runtime.slots.size - runtime.slots.taken());
        const wave = waiting.slice(0, free);
        waiting = waiting.slice(free);
        await this.#runTogether(wave);
        ran += wave.length;
      }
    });
    return ran;
  }

  /** Who is not the first in its lane any more is held with its key, or waits behind an earlier one. */
  #ready(waiting: readonly Delivery[]): Delivery[] {
    const { mustWait } = this.#options;
    return waiting.filter((delivery) => delivery.lane?.queue[0] === delivery && !mustWait(delivery));
  }

  async #runTogether(wave: readonly Delivery[]): Promise<void> {
    const { lanes } = this.#options;
    for (const { lane } of wave) lane?.start();
    const claim = wave.length > 1 ? this.#named() : undefined;
    await Promise.all(wave.map((delivery) => lanes.runAlone(delivery, claim)));
  }

  /** Says in the store who they are, once for all of them; a single one says more: that it runs alone. */
  #named(): ClaimRun {
    let said: Promise<boolean> | undefined;
    return () => (said ??= this.#announce(this.#options.runtime.platform.clock));
  }

  /** However often the store must be asked: a death that nobody can be suspected of would come again and again. */
  async #announce(clock: Clock): Promise<boolean> {
    const { claims, stopped } = this.#options;
    while (!stopped()) {
      try {
        await claims.announce();
        return true;
      } catch {
        await sleep(clock, againMs);
      }
    }
    return false;
  }
}
