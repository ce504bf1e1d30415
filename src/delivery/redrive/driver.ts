import { isTidingsError } from "../../errors/tidings-error.ts";
import { messageOf } from "../../event/validate.ts";
import { ownerOf } from "../../membership/names.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Lease, Leases } from "../../ports/leases.ts";
import type { State } from "../../ports/state.ts";
import type { Logger } from "../log.ts";
import { collections } from "../records.ts";
import { RedriveDrive } from "./drive.ts";

/** What the driver works with. */
export interface RedriveDriverOptions {
  readonly engine: Engine;
  readonly platform: Platform;
  readonly log: Logger;
  readonly memberId: string;
  /** How long operations wait for another driver when this one falls silent, in milliseconds. */
  readonly ttlMs: number;
}

/** The lease of the one process that drives all operations of a store. */
export const driverLease = "redrive-driver";

/** How often to look without a hint, in milliseconds: when there is no operation, and while something goes on. */
const idleMs = 10_000;
const pace = { first: 20, most: 1000 };

/**
 * Drives the redrive operations of a store. Every application has one of these; the one that has the lease drives, all
 * the others look now and then whether it is free.
 */
export class RedriveDriver {
  readonly #options: RedriveDriverOptions;
  readonly #state: State;
  readonly #leases: Leases;
  readonly #owner: string;
  readonly #drives = new Map<string, RedriveDrive>();
  #lease: Lease | undefined;
  #renewAt = 0;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #delayMs = pace.first;
  #cancel: CancelTimer | undefined;
  #unwatch: (() => void) | undefined;
  #hinted = false;

  constructor(options: RedriveDriverOptions) {
    this.#options = options;
    this.#state = options.engine.state as State;
    this.#leases = options.engine.leases as Leases;
    this.#owner = ownerOf(options.memberId, options.platform.ids.next());
  }

  start(): void {
    this.#unwatch = this.#state.watch(collections.redrives, () => this.#lookSoon());
    void this.#look();
  }

  /** Hints come with whatever another process writes: one look serves those of a moment. */
  #lookSoon(): void {
    if (this.#hinted || this.#stopped) return;
    this.#hinted = true;
    const look = (): void => {
      this.#hinted = false;
      void this.#look();
    };
    this.#options.platform.clock.after(pace.first, look, true);
  }

  /** Begins nothing any more; resolves when nothing of it is under way. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    this.#unwatch?.();
    await this.#looking;
    await this.#letGo();
  }

  /** Never rejects. */
  #look(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#looking) this.#again = true;
    return (this.#looking ??= this.#lookUntilQuiet());
  }

  async #lookUntilQuiet(): Promise<void> {
    this.#cancel?.();
    let delayMs = idleMs;
    do {
      this.#again = false;
      try {
        delayMs = await this.#lookOnce();
      } catch (error) {
        delayMs = pace.most;
        // What is known may not be what is stored: it is read anew.
        this.#drives.clear();
        if (isTidingsError(error) && error.code === "TIDINGS_FENCED") this.#lease = undefined;
        else this.#options.log.warn({ err: messageOf(error) }, "redrives are delayed");
      }
    } while (this.#again && !this.#stopped);
    this.#looking = undefined;
    if (this.#stopped) return;
    this.#cancel = this.#options.platform.clock.after(delayMs, () => void this.#look(), true);
  }

  /** Resolves with how long to wait for the next look. */
  async #lookOnce(): Promise<number> {
    const open = await this.#state.scan(collections.redrives, { limit: 100 });
    if (open.length === 0) {
      this.#drives.clear();
      await this.#letGo();
      return idleMs;
    }
    if (!(await this.#hold())) return pace.most;
    let changed = false;
    for (const { key } of open) {
      if (this.#stopped) return idleMs;
      const drive = this.#drives.get(key) ?? this.#driveOf(key);
      const went = await drive.step();
      if (went === undefined) this.#drives.delete(key);
      changed ||= went !== false;
    }
    // Sooner while something happens, slower and slower while nothing does.
    this.#delayMs = changed ? pace.first : Math.min(pace.most, this.#delayMs * 2);
    return this.#delayMs;
  }

  #driveOf(id: string): RedriveDrive {
    const { engine, platform } = this.#options;
    const fence = (): { lease: string; token: number } => ({ lease: driverLease, token: this.#lease?.token ?? -1 });
    const drive = new RedriveDrive(id, { engine, platform, fence });
    this.#drives.set(id, drive);
    return drive;
  }

  /** Whether this process is the driver. */
  async #hold(): Promise<boolean> {
    const { platform, ttlMs } = this.#options;
    const now = platform.clock.monotonic();
    if (this.#lease && now < this.#renewAt) return true;
    const held = this.#lease
      ? await this.#leases.renew([this.#lease], ttlMs)
      : await this.#leases.acquire([{ name: driverLease, owner: this.#owner, ttlMs }]);
    [this.#lease] = held;
    this.#renewAt = now + ttlMs / 3;
    if (!this.#lease) this.#drives.clear();
    return this.#lease !== undefined;
  }

  async #letGo(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease) await this.#leases.release([lease]).catch(() => undefined);
  }
}
