import { ownerOf } from "../../membership/names.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Lease } from "../../ports/leases.ts";

/** How long a publisher counts after it last said so, how often it says so, and how often it counts, in milliseconds. */
const ttlMs = 6000;
const sayMs = 2000;
const countMs = 500;

/**
 * How many processes press on one topic. Each says so by a lease while the backlog is more than half full, so that the room
 * that is left is shared among as many as want it.
 */
export class Publishers {
  readonly #engine: Engine;
  readonly #prefix: string;
  readonly #request: { readonly name: string; readonly owner: string; readonly ttlMs: number };
  #count = 1;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #lease: Lease | undefined;
  #counting: Promise<void> | undefined;

  constructor(engine: Engine, platform: Platform, topic: string, memberId: string) {
    this.#engine = engine;
    this.#prefix = `publisher/${topic}/`;
    const owner = ownerOf(memberId, platform.ids.next());
    this.#request = { name: this.#prefix + memberId, owner, ttlMs };
  }

  /** At least 1: this process. */
  count(nowMs: number): number {
    return nowMs - this.#countedAtMs < ttlMs ? this.#count : 1;
  }

  /** Says that this process presses on the topic, and counts the others, now and then. */
  press(nowMs: number): void {
    if (nowMs - this.#countedAtMs >= countMs) this.#counting ??= this.#press(nowMs);
  }

  /** Never rejects: without an answer each process takes itself for the only one. */
  async #press(nowMs: number): Promise<void> {
    const { leases } = this.#engine;
    this.#countedAtMs = nowMs;
    try {
      if (nowMs - this.#saidAtMs >= sayMs) {
        const [lease] = (await leases?.acquire([this.#request])) ?? [];
        this.#lease = lease;
        this.#saidAtMs = nowMs;
      }
      this.#count = Math.max(1, (await leases?.list(this.#prefix))?.length ?? 1);
    } catch {
      this.#count = 1;
    }
    this.#counting = undefined;
  }

  /** Counts no more. Never rejects. */
  async leave(): Promise<void> {
    await this.#counting;
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease) await this.#engine.leases?.release([lease]).catch(() => undefined);
  }
}
