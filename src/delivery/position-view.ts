import { isTidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import { partitionPrefix } from "../membership/names.ts";
import type { CancelTimer } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { Lease } from "../ports/leases.ts";
import type { Logger } from "./log.ts";

/** How far an owned partition is: everything before `position` is finished, and committed so. */
export interface Standing {
  readonly partition: number;
  readonly position: number;
  readonly lease: Lease;
}

/** What is spoken of. */
interface Named {
  readonly name: string;
  readonly topic: string;
}

/** A subscription, as far as this process has it. */
export interface Viewed extends Named {
  /** The partitions that it owns and knows the position of. */
  standings(): readonly Standing[];
}

/** How often to look what has moved, in milliseconds. */
const roundMs = 5000;
/** How often to say all again, and what was refused, in milliseconds: an engine may forget, and a permission be given. */
const againMs = 600_000;
/** How long giving up a partition may wait for its last word, in milliseconds. */
const lastMs = 1000;

type Told = Pick<Standing, "position"> & { readonly token: number };

/**
 * Shows the engine's own tools how far the partitions are that this process owns (`Topics.showPositions`). A view for people:
 * nothing reads it back, and what goes wrong with it holds up nothing. Only the owner speaks for a partition, so that
 * no position is followed by an earlier one unless by a seek.
 */
export class PositionView {
  readonly #engine: Engine;
  readonly #platform: Platform;
  readonly #log: Logger;
  #viewed: readonly Viewed[] = [];
  /** By subscription and partition: what was said last, and under which lease. */
  readonly #told = new Map<string, Map<number, Told>>();
  /** By subscription: until when it is not tried again, by the monotonic clock. */
  readonly #refusedUntilMs = new Map<string, number>();
  /** Codes of what was warned of. */
  readonly #warned = new Set<string>();
  /** What gives up its partitions in this moment. */
  readonly #leaving = new Map<Named, Standing[]>();
  #leavingTold: Promise<void> | undefined;
  #allAtMs: number;
  #turn: Promise<void> = Promise.resolve();
  #cancel: CancelTimer | undefined;

  constructor(engine: Engine, platform: Platform, log: Logger) {
    this.#engine = engine;
    this.#platform = platform;
    this.#log = log;
    this.#allAtMs = platform.clock.monotonic();
  }

  /** Looks at these now and then, if the engine shows anything. */
  start(viewed: readonly Viewed[]): void {
    this.#viewed = viewed;
    if (this.#engine.topics.showPositions && viewed.length > 0) this.#later();
  }

  stop(): void {
    this.#viewed = [];
    this.#cancel?.();
  }

  /** Says where a partition stands that is given up, before its lease is; never rejects, and takes a second at most. */
  async last(viewed: Named, standing: Standing): Promise<void> {
    if (!this.#engine.topics.showPositions) return;
    const leaving = this.#leaving.get(viewed) ?? [];
    this.#leaving.set(viewed, [...leaving, standing]);
    const { clock } = this.#platform;
    // Mostly several of them end together.
    this.#leavingTold ??= new Promise<void>((resolve) => clock.soon(resolve)).then(() => this.#lasts());
    const told = this.#leavingTold;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(lastMs, resolve);
      void told.then(resolve).finally(cancel);
    });
  }

  #lasts(): Promise<void> {
    const all = [...this.#leaving];
    this.#leaving.clear();
    this.#leavingTold = undefined;
    return this.#inTurn(async () => {
      for (const [viewed, standings] of all) await this.#tell(viewed, standings, false);
    });
  }

  #later(): void {
    const { clock } = this.#platform;
    const again = (): void => {
      if (this.#viewed.length > 0) this.#later();
    };
    this.#cancel = clock.after(roundMs, () => void this.#inTurn(() => this.#round()).then(again), true);
  }

  /** One after the other: what is said later must not arrive earlier. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work);
    return this.#turn;
  }

  async #round(): Promise<void> {
    const nowMs = this.#platform.clock.monotonic();
    const all = nowMs - this.#allAtMs >= againMs;
    if (all) this.#allAtMs = nowMs;
    for (const viewed of this.#viewed) await this.#tell(viewed, viewed.standings(), all);
  }

  async #tell({ name, topic }: Named, standings: readonly Standing[], all: boolean): Promise<void> {
    if (this.#platform.clock.monotonic() < (this.#refusedUntilMs.get(name) ?? 0)) return;
    const told = this.#told.get(name) ?? new Map<number, Told>();
    this.#told.set(name, told);
    const isNew = ({ partition, position, lease }: Standing): boolean =>
      told.get(partition)?.position !== position || told.get(partition)?.token !== lease.token;
    const due = all ? standings : standings.filter(isNew);
    if (due.length === 0) return;
    try {
      const held = await this.#held(name, due);
      if (held.length === 0) return;
      const positions = held.map(({ partition, position }) => ({ partition, position }));
      await this.#engine.topics.showPositions?.(name, topic, positions);
      for (const { partition, position, lease } of held) told.set(partition, { position, token: lease.token });
    } catch (error) {
      this.#failed(name, error);
    }
  }

  /** Who was stopped for a while may have lost its partitions without knowing it, and others may have said more since. */
  async #held(name: string, standings: readonly Standing[]): Promise<readonly Standing[]> {
    const leases = (await this.#engine.leases?.list(partitionPrefix(name))) ?? [];
    const tokens = new Map(leases.map((lease) => [lease.name, lease.token]));
    return standings.filter(({ lease }) => tokens.get(lease.name) === lease.token);
  }

  #failed(name: string, error: unknown): void {
    // What passes is tried again in the next round, and health says it where it matters.
    if (isTidingsError(error) && (error.retryable || error.code === "TIDINGS_CLOSED")) return;
    this.#refusedUntilMs.set(name, this.#platform.clock.monotonic() + againMs);
    const code = isTidingsError(error) ? error.code : "unknown";
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    this.#log.warn(
      { code, subscription: name },
      `the tools of ${this.#engine.name} are not shown how far subscriptions are, which changes nothing else: ${messageOf(error)}`,
    );
  }
}
