import { type Clock, sleep } from "../../platform/clock.ts";
import type { Engine } from "../../ports/engine.ts";
import type { DocumentWrite, Fence } from "../../ports/transaction.ts";
import { type ClaimDocument, collections } from "../records.ts";

/** What a claim of one partition works with. */
export interface ClaimOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly key: string;
  readonly fence: Fence;
  /** Who owns the partition. */
  readonly owner: string;
  /** Most positions that may be claimed ahead of the low position. */
  readonly aheadMax: number;
  readonly low: () => number;
  /** A claim that was asked for is written: go on dispatching. */
  readonly onCovered: () => void;
}

/** How far claims reach ahead at least. */
const aheadMin = 256;
/** How long to wait after a claim could not be written, in milliseconds. */
const againMs = 50;

/**
 * Says in the store which positions may be running, before they run, so that a process that comes after a
 * crash knows whom to suspect. Claims need only survive the process: they go along with commits, and where
 * there is none in time they are written without a sync. They reach ahead of what has been published, so that an
 * event that arrives at an idle subscription waits for no write.
 */
export class Claims {
  readonly #options: ClaimOptions;
  /** Positions below are claimed. */
  #to = -1;
  /** Where the claim ends that goes along with a commit. */
  #dueTo = -1;
  /** The furthest that any write has said: a later one must not take it back. */
  #asked = -1;
  #ahead = aheadMin;
  #writing = false;
  #alone: ClaimDocument["solo"];
  readonly #failures = new Map<number, number>();
  /** What has still to run alone, by position, and how many deaths each has caused so far. */
  readonly #suspects = new Map<number, number>();
  /** Whose claims these are. */
  #by: readonly string[] | undefined;

  constructor(options: ClaimOptions) {
    this.#options = options;
    this.#by = [options.owner];
  }

  /** Whether `position` is claimed; if not, the claim is extended and `onCovered` called. */
  covers(position: number): boolean {
    if (position < this.#to) return true;
    void this.#extend(position);
    return false;
  }

  /** Never rejects. */
  async #extend(position: number): Promise<void> {
    if (this.#writing) return;
    const { aheadMax, low, clock, onCovered } = this.#options;
    this.#writing = true;
    this.#ahead = Math.min(aheadMax, Math.max(aheadMin, this.#ahead * 2));
    const target = Math.max(position + 1, low() + this.#ahead);
    try {
      await this.#write(this.#claimTo(target));
      this.#to = Math.max(this.#to, target);
    } catch {
      // The partition is lost or the storage in trouble: commits will tell. Ask again in a while.
      await sleep(clock, againMs);
    }
    this.#writing = false;
    onCovered();
  }

  /** The extension that should go along with a commit, if one is due. */
  due(): DocumentWrite | undefined {
    const low = this.#options.low();
    if (this.#to - low >= this.#ahead / 2) return undefined;
    this.#dueTo = Math.max(this.#asked, low + this.#ahead);
    return this.#claimTo(this.#dueTo);
  }

  /** The last write that `due` gave is committed. */
  written(): void {
    this.#to = Math.max(this.#to, this.#dueTo);
  }

  /** Writes how often a delivery has failed, before it runs again. Never rejects. */
  async noteFailures(position: number, failures: number): Promise<void> {
    this.#failures.set(position, failures);
    await this.#write(this.#claimTo(position + 1)).catch(() => undefined);
  }

  /** Forgets the failures of a delivery that has ended. */
  forgetFailures(position: number): void {
    if (this.#failures.size > 0) this.#failures.delete(position);
  }

  /** What an owner before knew of suspects; the one that it ran alone when it died, unless it lives, has caused one more death. */
  inherit({ suspects = {}, solo, by }: ClaimDocument, lives: boolean): void {
    this.#by = by && [...new Set([...by, this.#options.owner])];
    for (const [position, stalls] of Object.entries(suspects)) this.#suspects.set(Number(position), stalls);
    if (solo) this.#suspects.set(solo.position, lives ? solo.stalls : solo.stalls + 1);
  }

  /** What owners before had claimed has run, or is known by its position. */
  inherited(): void {
    this.#by = [this.#options.owner];
  }

  /** What an owner before had claimed stays claimed. */
  keep(to: number): void {
    this.#asked = Math.max(this.#asked, to);
  }

  /** How many deaths a suspect has caused; undefined when this is not known of it. */
  stallsOf(position: number): number | undefined {
    return this.#suspects.get(position);
  }

  /** Behind the last suspect that is known by its position. */
  suspectsEnd(): number {
    return Math.max(0, ...Array.from(this.#suspects.keys(), (position) => position + 1));
  }

  /** A suspect waits for its run alone, and stays one until it is settled, whoever owns the partition. */
  await(position: number, stalls: number): void {
    this.#suspects.set(position, stalls);
  }

  /** A suspect is settled. */
  forget(position: number): void {
    this.#suspects.delete(position);
    if (this.#alone?.position === position) this.#alone = undefined;
  }

  /** Claims one position for a run alone, with its stalls so far. */
  async solo(position: number, stalls: number): Promise<void> {
    this.#suspects.set(position, stalls);
    this.#alone = { position, stalls };
    await this.#write(this.#claimTo(position + 1));
  }

  /** Names everybody who is suspected, before some of them run together: a death under them leaves these to run alone. */
  announce(): Promise<void> {
    return this.#write(this.#claimTo(this.#asked));
  }

  /** The one that was to run alone has not killed anybody: it has come to an end, or has not begun. It stays claimed. Never rejects. */
  async acquit(): Promise<void> {
    if (!this.#alone) return;
    this.#alone = undefined;
    await this.#write(this.#claimTo(this.#asked)).catch(() => undefined);
  }

  /** Nothing runs any more. Suspects have still to run alone. */
  clear(): Promise<void> {
    if (this.#suspects.size > 0)
      return this.#write(this.#document({ to: 0, suspects: Object.fromEntries(this.#suspects) }));
    return this.#write({ collection: collections.claims, key: this.#options.key, value: null });
  }

  #claimTo(position: number): DocumentWrite {
    this.#asked = Math.max(this.#asked, position);
    return this.#document({
      to: this.#asked,
      ...(this.#failures.size > 0 ? { failures: Object.fromEntries(this.#failures) } : {}),
      ...(this.#suspects.size > 0 ? { suspects: Object.fromEntries(this.#suspects) } : {}),
      ...(this.#alone ? { solo: this.#alone } : {}),
    });
  }

  #document(document: ClaimDocument): DocumentWrite {
    const value = JSON.stringify({ ...document, by: this.#by } satisfies ClaimDocument);
    return { collection: collections.claims, key: this.#options.key, value };
  }

  async #write(write: DocumentWrite): Promise<void> {
    const { engine, fence } = this.#options;
    await engine.transact?.({ fences: [fence], documents: [write], durable: false });
  }
}
