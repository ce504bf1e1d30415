// A member of a simulation: asks its journal for things, one after the other and several at a time, and notes what it is told.
import { isTidingsError } from "../../../src/errors/tidings-error.ts";
import { journaledEngine } from "../../../src/journal/journaled.ts";
import { sleep } from "../../../src/platform/clock.ts";
import { uuid7Source } from "../../../src/platform/uuid7.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import type { Lease } from "../../../src/ports/leases.ts";
import type { Outcome } from "../../../src/ports/transaction.ts";
import type { Dice } from "../../../src/testing/sim/dice.ts";
import { NodeClock } from "../../../src/testing/sim/node-clock.ts";
import type { Callback, CallbackOwner, Scheduler } from "../../../src/testing/sim/scheduler.ts";
import type { SimulatedLog } from "./log.ts";

const collection = "c";
export const keys = ["a", "b", "c", "d"] as const;
const leases = ["l", "m"] as const;
const ttlMs = 3000;

/** Something that was asked of a journal. */
export interface Asked {
  readonly node: Node;
  /** Stands in the command, so that it is found in the log. */
  readonly mark: number;
  readonly what: string;
  readonly atMs: number;
  /** Length of the log when it was asked, and when it was answered. */
  readonly from: number;
  to?: number;
  answeredMs?: number;
  answer?: "done" | "refused" | "unknown";
  /** In the words of the model. */
  result?: unknown;
  error?: unknown;
}

/** What the members of a simulation share. */
export interface Stage {
  readonly scheduler: Scheduler;
  readonly log: SimulatedLog;
  readonly dice: Dice;
  readonly asked: Asked[];
}

export class Node implements CallbackOwner {
  readonly number: number;
  readonly engine: Engine;
  readonly clock: NodeClock;
  state: "up" | "paused" | "dead" = "up";
  readonly #stage: Stage;
  readonly #kept: Callback[] = [];
  readonly #versions = new Map<string, number>();
  readonly #held = new Map<string, Lease>();
  #idle = false;

  constructor(number: number, stage: Stage, clock: { readonly rate: number; readonly offsetMs: number }) {
    this.number = number;
    this.#stage = stage;
    const { scheduler, log, dice } = stage;
    this.clock = new NodeClock(scheduler, this, { dice, hopMs: 1, ...clock });
    const platform = { clock: this.clock, random: dice.random, ids: uuid7Source(this.clock, dice.random) };
    this.engine = journaledEngine(
      log.broker(this, () => this.state === "dead"),
      platform,
    );
  }

  admit(callback: Callback): "run" | "keep" | "drop" {
    if (this.state === "up") return "run";
    if (this.state === "dead") return "drop";
    this.#kept.push(callback);
    return "keep";
  }

  resume(): void {
    if (this.state === "paused") this.state = "up";
    for (const callback of this.#kept.splice(0)) this.#stage.scheduler.again(callback);
  }

  /** Begins nothing any more. */
  rest(): void {
    this.#idle = true;
  }

  /** Several at a time, until it is told to rest. */
  work(atOnce: number, everyMs: number): void {
    for (let n = 0; n < atOnce; n++) void this.#goOn(everyMs);
  }

  async #goOn(everyMs: number): Promise<void> {
    const { dice } = this.#stage;
    while (!this.#idle) {
      await sleep(this.clock, dice.spread(1, everyMs));
      await this.#askSomething();
    }
  }

  async #askSomething(): Promise<void> {
    const { dice } = this.#stage;
    const chosen = dice.random.next();
    if (chosen < 0.5) return this.write(dice.one(keys), dice.chance(0.1) ? null : `${dice.whole(0, 9999)}`.padEnd(dice.whole(4, 300))); // prettier-ignore
    if (chosen < 0.75) return this.#read(dice.one(keys));
    if (chosen < 0.85) return this.#acquire(dice.one(leases));
    if (chosen < 0.95) return this.#renew();
    return this.#release();
  }

  async #ask(what: string, call: (mark: number) => Promise<unknown>): Promise<Asked> {
    const { asked, log, scheduler } = this.#stage;
    const one: Asked = { node: this, mark: asked.length, what, atMs: scheduler.nowMs, from: log.next };
    asked.push(one);
    try {
      one.result = await call(one.mark);
      one.answer = "done";
    } catch (error) {
      one.error = error;
      one.answer = isTidingsError(error) && error.code === "TIDINGS_OUTCOME_UNKNOWN" ? "unknown" : "refused";
    }
    one.to = log.next;
    one.answeredMs = scheduler.nowMs;
    return one;
  }

  /** With a check of the version that it knows, and the fence of a lease that it believes to have, now and then. */
  async write(key: string, value: string | null): Promise<void> {
    const { dice } = this.#stage;
    const known = this.#versions.get(key);
    const lease = [...this.#held.values()][0];
    const checks = known !== undefined && dice.chance(0.5) ? [{ collection, key, version: known }] : [];
    const fences = lease && dice.chance(0.5) ? [{ lease: lease.name, token: lease.token }] : [];
    await this.#ask(`write ${key}`, async (mark) => {
      const marking = { collection, key: `mark/${this.number}`, value: `#${mark}#` };
      const patient = dice.chance(0.3);
      const documents = [{ collection, key, value }, marking];
      return inWords((await this.engine.transact?.({ checks, fences, documents, patient })) as Outcome);
    });
  }

  async #read(key: string): Promise<void> {
    const asked = await this.#ask(`read ${key}`, async () => {
      const [document] = (await this.engine.state?.get(collection, [key])) ?? [];
      return [key, document?.version, document?.value];
    });
    if (asked.answer !== "done") return;
    this.#versions.set(key, (asked.result as [string, number | undefined])[1] ?? 0);
  }

  async #acquire(name: string): Promise<void> {
    const owner = `n${this.number}`;
    await this.#ask(`acquire ${name}`, async (mark) => {
      const requests = [{ name, owner, ttlMs }, { name: `mark/${this.number}`, owner: `#${mark}#`, ttlMs: 0 }]; // prettier-ignore
      const got = (await this.engine.leases?.acquire(requests)) ?? [];
      if (got[0]) this.#held.set(name, got[0]);
      return got.map(leaseInWords);
    });
  }

  async #renew(): Promise<void> {
    await this.#ask("renew", async (mark) => {
      const held = [...this.#held.values()];
      const renewed = (await this.engine.leases?.renew([...held, marking(mark)], ttlMs)) ?? [];
      for (const [index, { name }] of held.entries()) if (!renewed[index]) this.#held.delete(name);
      return renewed.map(leaseInWords);
    });
  }

  async #release(): Promise<void> {
    await this.#ask("release", async (mark) => {
      const held = [...this.#held.values()];
      this.#held.clear();
      await this.engine.leases?.release([...held, marking(mark)]);
      return [];
    });
  }

  /** All documents, as the model lists them. */
  async documents(): Promise<readonly (readonly [string, string, number])[]> {
    const all = (await this.engine.state?.scan(collection, { limit: 1000 })) ?? [];
    return all.map(({ key, value, version }) => [key, value, version] as const);
  }
}

const marking = (mark: number): Lease => ({ name: "mark", owner: `#${mark}#`, token: 0, expiresAtMs: 0 });

const leaseInWords = (lease: Lease | undefined): unknown =>
  lease && [lease.name, lease.owner, lease.token, lease.expiresAtMs];

function inWords(outcome: Outcome): string {
  if (outcome.committed) return "committed";
  return `${outcome.conflict.kind} ${outcome.conflict.index}`;
}
