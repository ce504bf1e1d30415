import { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Lease, Leases } from "../../ports/leases.ts";
import type { Fence } from "../../ports/transaction.ts";
import type { Connections } from "./connections.ts";
import { leasesOf } from "./leases.ts";
import type { Settings } from "./options.ts";

/** Of processes that are gone they are removed after this time; one that lives so long makes another. */
const ttlMs = 24 * 60 * 60 * 1000;

/** What names of such leases begin with. */
export const writerPrefix = "writer/";

/**
 * Says who writes. A statement whose answer did not come may be on its way still, or in a server that hangs: before anything
 * else is written, its lease is given back, which waits for what has begun and voids what has not.
 */
export class Writer {
  readonly #leases: Leases;
  readonly #platform: Platform;
  #lease: Lease | undefined;
  #inDoubt = false;

  constructor(connections: Connections, settings: Settings, platform: Platform) {
    this.#leases = leasesOf(connections, settings);
    this.#platform = platform;
  }

  /** What every commit is fenced with. Rejects with TIDINGS_UNREACHABLE when the server is away for too long. */
  async fence(): Promise<Fence> {
    if (this.#lease && this.#inDoubt) await this.#leases.release([this.#lease]);
    // Always another one: of a lease that was removed meanwhile the tokens would begin anew.
    if (!this.#lease || this.#inDoubt) this.#lease = await this.#acquire();
    this.#inDoubt = false;
    return { lease: this.#lease.name, token: this.#lease.token };
  }

  /** The outcome of the last commit is not known. */
  doubt(): void {
    this.#inDoubt = true;
  }

  /** The lease is there no more: another one is made. */
  removed(): void {
    this.#lease = undefined;
  }

  async #acquire(): Promise<Lease> {
    const name = `${writerPrefix}${this.#platform.ids.next()}`;
    const [lease] = await this.#leases.acquire([{ name, owner: name, ttlMs }]);
    if (lease) return lease;
    throw new TidingsError("TIDINGS_BUSY", `The lease ${name} is held by somebody else; try again.`);
  }
}
