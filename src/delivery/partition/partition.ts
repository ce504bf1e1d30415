import { TidingsError } from "../../errors/tidings-error.ts";
import type { Lease } from "../../ports/leases.ts";
import type { Committer } from "../commit/committer.ts";
import { noCounts } from "../commit/progress.ts";
import type { HeldEntry } from "../held/held-entry.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { Lanes } from "../lanes/lanes.ts";
import { type ClaimDocument, collections, type Counts, positionKey, type PositionDocument } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { runSuspects } from "./suspects.ts";
import { assemble, type Works } from "./works.ts";

/** What is known of a partition at this moment. */
export interface PartitionStatus {
  readonly partition: number;
  readonly low: number;
  readonly counts: Counts;
  /** Fetched and not settled. */
  readonly inFlight: number;
  readonly running: number;
  readonly heldKeys: number;
  readonly heldEvents: number;
  /** Monotonic time of the last commit; or since when something is on its way, or goes on after a pause, if that is later. */
  readonly progressAt: number;
  readonly trouble: string | undefined;
}

/** The parts of a partition that operations of operators work on. */
export interface PartitionParts {
  readonly committer: Committer;
  readonly held: HeldKeys;
  readonly lanes: Lanes;
}

/** A partition in the hands of its owner. */
export interface Partition {
  readonly number: number;
  /** Reads where it stands, runs suspects alone, then fetches. */
  start(): Promise<void>;
  /** Reads where it stands without running anything, for operations of operators while no application runs. */
  startForMaintenance(): Promise<void>;
  /** Lets running handlers end, commits, and lets go. After `lost` nothing is committed any more. Never rejects. */
  stop(lost: boolean): Promise<void>;
  /** Tells running handlers to stop. */
  abort(reason: unknown): void;
  /** Fetches and starts what may be started: called after a resume, or by a hint. */
  wake(): void;
  status(): PartitionStatus;
  /** Everything before it is finished, as the last commit says; undefined while that is not read yet. */
  position(): number | undefined;
  /**
   * What operators work on, once it is known where the partition stands and what it holds: who wrote without knowing that
   * would overwrite held keys. Rejects with TIDINGS_BUSY when the partition is given up before.
   */
  parts(): Promise<PartitionParts>;
}

/** A partition of a subscription, with the lease that fences its commits. `onLost` is called when nothing can be committed any more. */
export function createPartition(
  runtime: SubscriptionRuntime,
  number: number,
  lease: Lease,
  onLost: (error: TidingsError) => void,
): Partition {
  return new OwnedPartition(runtime, number, lease, onLost);
}

class OwnedPartition implements Partition {
  readonly number: number;
  readonly #runtime: SubscriptionRuntime;
  readonly #lease: Lease;
  readonly #onLost: (error: TidingsError) => void;
  readonly #key: string;
  #works: Works | undefined;
  /** Settled when position and held keys are read, or will not be. */
  readonly #loaded = Promise.withResolvers<PartitionParts>();
  /** Its suspects have run, and it does not drain. */
  #ready = false;
  #draining = false;
  #stopped = false;
  #progressAt: number;
  /** What keeps commits from happening. */
  #trouble: string | undefined;

  constructor(runtime: SubscriptionRuntime, number: number, lease: Lease, onLost: (error: TidingsError) => void) {
    this.number = number;
    this.#runtime = runtime;
    this.#lease = lease;
    this.#onLost = onLost;
    this.#key = positionKey(runtime.name, number);
    this.#progressAt = runtime.platform.clock.monotonic();
    // Mostly nobody waits for it.
    this.#loaded.promise.catch(() => undefined);
  }

  async start(): Promise<void> {
    const { engine } = this.#runtime;
    const { works, heldSuspects } = await this.#load();
    const [claim] = (await engine.state?.get(collections.claims, [this.#key])) ?? [];
    if (this.#stopped) return;
    await runSuspects({
      ...works,
      runtime: this.#runtime,
      number: this.number,
      // At most once, what has begun is settled as unknown before: what the claim covers beyond that has never begun.
      claimed:
        claim && this.#runtime.guarantee !== "at-most-once" ? (JSON.parse(claim.value) as ClaimDocument) : undefined,
      owner: this.#lease.owner,
      heldSuspects,
      stopped: () => this.#stopped || this.#draining,
    });
    if (this.#stopped || this.#draining) return;
    this.#ready = true;
    works.held.begin();
    works.fetch.open();
  }

  async startForMaintenance(): Promise<void> {
    await this.#load();
  }

  async #load(): Promise<{ works: Works; heldSuspects: readonly HeldEntry[] }> {
    try {
      const works = await this.#assemble();
      const heldSuspects = await works.held.load();
      this.#loaded.resolve(works);
      return { works, heldSuspects };
    } catch (error) {
      this.#loaded.reject(error);
      throw error;
    }
  }

  async #assemble(): Promise<Works> {
    const [position] = (await this.#runtime.engine.state?.get(collections.positions, [this.#key])) ?? [];
    if (!position) throw new TidingsError("TIDINGS_NOT_FOUND", `The position of ${this.#key} is not registered.`);
    const works = assemble({
      runtime: this.#runtime,
      number: this.number,
      key: this.#key,
      fence: { lease: this.#lease.name, token: this.#lease.token },
      owner: this.#lease.owner,
      document: JSON.parse(position.value) as PositionDocument,
      ready: () => this.#ready,
      onBusy: () => this.#goesOn(),
      onCommitted: () => this.#committed(),
      onTrouble: (trouble) => this.#troubled(trouble),
      onLost: (error) => {
        this.#stopped = true;
        this.#onLost(error);
      },
    });
    this.#works = works;
    return works;
  }

  #committed(): void {
    this.#runtime.metrics.commits.add();
    this.#goesOn();
  }

  #goesOn(): void {
    this.#progressAt = this.#runtime.platform.clock.monotonic();
  }

  #troubled(trouble: string | undefined): void {
    this.#trouble = trouble;
    const { log, name } = this.#runtime;
    if (trouble) log.warn({ subscription: name, partition: this.number, trouble }, "commits are delayed");
  }

  wake(): void {
    if (!this.#ready) return;
    this.#goesOn();
    this.#works?.held.begin();
    this.#works?.fetch.wake();
  }

  async stop(lost: boolean): Promise<void> {
    const ran = this.#ready;
    const works = this.#works;
    this.#loaded.reject(
      new TidingsError(
        "TIDINGS_BUSY",
        `The partition ${this.#key} was given up while it was being started; try again.`,
      ),
    );
    this.#ready = false;
    this.#draining = true;
    if (lost || !works) this.#stopped = true;
    if (!works) return;
    works.fetch.close();
    works.held.stop(lost);
    if (lost) return this.#letGo(works);
    await works.lanes.quiesce();
    await works.held.drained();
    await works.committer.drained();
    // Only a death is to be blamed on what ran, and nobody has died.
    if (!this.#stopped) await (ran ? works.claims.clear() : works.claims.acquit()).catch(() => undefined);
    this.#stopped = true;
    works.committer.stop();
  }

  #letGo({ committer, lanes }: Works): void {
    committer.stop();
    lanes.abort(new TidingsError("TIDINGS_FENCED", `This member no longer owns ${this.#key}.`));
    lanes.letGo();
    void lanes.quiesce();
  }

  abort(reason: unknown): void {
    this.#works?.lanes.abort(reason);
  }

  status(): PartitionStatus {
    const works = this.#works;
    return {
      partition: this.number,
      low: works?.progress.low() ?? 0,
      counts: works?.committer.counts() ?? noCounts,
      inFlight: works?.ingest.events() ?? 0,
      running: works?.lanes.running() ?? 0,
      heldKeys: works ? [...works.held.entries()].length : 0,
      heldEvents: works?.held.size() ?? 0,
      progressAt: this.#progressAt,
      trouble: works?.fetch.trouble() ?? this.#trouble ?? this.#fullOfHeld(works),
    };
  }

  position(): number | undefined {
    return this.#works?.committer.document().low;
  }

  #fullOfHeld(works: Works | undefined): string | undefined {
    const { heldMax } = this.#runtime;
    if (!works || works.held.size() < heldMax) return undefined;
    return `more than ${heldMax} events wait behind held keys`;
  }

  parts(): Promise<PartitionParts> {
    return this.#loaded.promise;
  }
}
