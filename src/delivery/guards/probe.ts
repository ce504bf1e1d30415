import type { CancelTimer, Clock } from "../../platform/clock.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Lease, Leases } from "../../ports/leases.ts";
import type { Fence } from "../../ports/transaction.ts";

/** What the names of the leases of all probes begin with. */
export const probePrefix = "breaker/";

/** The lease that a process must hold to send a probe through a breaker. */
export const probeLease = (breaker: string): string => `${probePrefix}${breaker}`;

/** How long a process that has died keeps others from probing, in milliseconds. */
const ttlMs = 10_000;

/** The right to send one delivery through a breaker that is not closed, for as long as it takes. */
export class Probe {
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #onLost: (probe: Probe) => void;
  #lease: Lease;
  #state: "idle" | "offered" | "taken" | "settled" = "idle";
  #cancel: CancelTimer | undefined;
  #ended = false;

  /** Takes the lease; undefined when another process has it. */
  static async begin(
    { leases }: Engine,
    clock: Clock,
    name: string,
    owner: string,
    onLost: (probe: Probe) => void,
  ): Promise<Probe | undefined> {
    const [lease] = (await leases?.acquire([{ name, owner, ttlMs }])) ?? [];
    return lease && new Probe(leases as Leases, clock, lease, onLost);
  }

  private constructor(leases: Leases, clock: Clock, lease: Lease, onLost: (probe: Probe) => void) {
    this.#leases = leases;
    this.#clock = clock;
    this.#lease = lease;
    this.#onLost = onLost;
    this.#keep();
  }

  get fence(): Fence {
    return { lease: this.#lease.name, token: this.#lease.token };
  }
  get isOffered(): boolean {
    return this.#state === "offered";
  }
  get isSettled(): boolean {
    return this.#state === "settled";
  }

  offer(): void {
    this.#state = "offered";
  }
  take(): void {
    this.#state = "taken";
  }
  /** Its outcome is known. */
  settle(): void {
    this.#state = "settled";
  }

  /** Gives the lease back. Never rejects: it ends by itself. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancel?.();
    await this.#leases.release([this.#lease]).catch(() => undefined);
  }

  /** A handler may take longer than the lease. */
  #keep(): void {
    this.#cancel = this.#clock.after(
      ttlMs / 3,
      () => {
        this.#leases.renew([this.#lease], ttlMs).then(
          ([lease]) => {
            if (this.#ended) return;
            if (lease) this.#lease = lease;
            else this.#lose();
            if (lease) this.#keep();
          },
          () => void (this.#ended || this.#keep()),
        );
      },
      true,
    );
  }

  #lose(): void {
    this.#ended = true;
    this.#onLost(this);
  }
}
