import { hasCode, isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import { messageOf } from "../../event/validate.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Conflict, DocumentWrite, Fence, Outcome } from "../../ports/transaction.ts";
import type { LifecycleFeed } from "../lifecycle/feed.ts";
import { buildGroup, type Group, groupSize, type Passed, settlementAt, unsettleGroup } from "./commit-group.ts";
import type { RelayMarks } from "./relay-marks.ts";
import type { Progress } from "./progress.ts";
import { collections, type Counts, type PositionDocument } from "../records.ts";
import type { Settlement } from "./settlement.ts";
import { staleOf } from "./stale.ts";

/** What a committer works with. */
export interface CommitterOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Key of the position document. */
  readonly key: string;
  readonly fence: Fence;
  readonly document: PositionDocument;
  readonly progress: Progress;
  /** What relays have sent. */
  readonly marks: RelayMarks;
  /** Groups of fewer settlements that only move the position may wait for company. */
  readonly patientMax: number;
  /** What tells of dead letters, in the same transaction. */
  readonly feed: LifecycleFeed;
  /** A write of the claim that should go along with the next commit. */
  readonly claim: () => DocumentWrite | undefined;
  readonly claimWritten: () => void;
  /** After each commit. */
  readonly onCommitted: (settlements: number) => void;
  /** Another member owns the partition, or the engine has stopped for good. */
  readonly onLost: (error: TidingsError) => void;
  /** The storage refuses for now (disk full, busy); undefined when it works again. */
  readonly onTrouble: (trouble: string | undefined) => void;
}

const retryMs = { first: 20, most: 1000 };

/** Puts finished deliveries of one partition into transactions, in their order, one transaction at a time. */
export class Committer {
  readonly #options: CommitterOptions;
  #queue: Settlement[] = [];
  #passed: Passed[] = [];
  #document: PositionDocument;
  /** A group is on its way, or waits to be tried again. */
  #busy = false;
  #scheduled = false;
  #stopped = false;
  #retryDelayMs = retryMs.first;
  /** After a failed group: commit one settlement at a time until so many are through. */
  #single = 0;
  #waiters: (() => void)[] = [];
  readonly #ends = new Set<() => void>();
  readonly #flushScheduled = (): void => {
    this.#scheduled = false;
    this.#flush();
  };

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#document = options.document;
  }

  add(settlement: Settlement): void {
    this.#queue.push(settlement);
    this.#schedule();
  }

  /** Counts a position that needed no handler. */
  pass(position: number, as: "filtered" | "expired"): void {
    this.#passed.push({ position, as });
    this.#schedule();
  }

  /** Takes settlements back that are not being committed now. */
  withdraw(settlements: ReadonlySet<Settlement>): void {
    this.#queue = this.#queue.filter((settlement) => !settlements.has(settlement));
  }

  counts(): Counts {
    return this.#document.counts;
  }

  document(): PositionDocument {
    return this.#document;
  }

  /** Resolves when everything added so far is committed, or the partition is lost. */
  drained(): Promise<void> {
    if (this.#stopped || (!this.#busy && this.#isEmpty())) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#schedule();
    });
  }

  /**
   * Settles as the work does: not when everything else is through, which under load never is. Rejects with TIDINGS_FENCED
   * when nothing is committed any more, for then nobody can say that it was done.
   */
  through(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void =>
        reject(new TidingsError("TIDINGS_FENCED", "The partition was given up before this was committed."));
      if (this.#stopped) end();
      this.#ends.add(end);
      work.then(() => resolve(), reject).finally(() => this.#ends.delete(end));
    });
  }

  /** Nothing is committed from now on. */
  stop(): void {
    this.#stopped = true;
    this.#wakeWaiters();
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  #isEmpty(): boolean {
    return this.#queue.length === 0 && this.#passed.length === 0;
  }

  #wakeWaiters(): void {
    const woken = this.#waiters;
    this.#waiters = [];
    for (const wake of woken) wake();
  }

  #schedule(): void {
    if (this.#busy || this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    // A microtask later, so that everything that finishes in this turn goes along.
    queueMicrotask(this.#flushScheduled);
  }

  #flush(): void {
    if (this.#busy || this.#stopped) return;
    if (this.#isEmpty()) return this.#wakeWaiters();
    this.#busy = true;
    const group = this.#nextGroup();
    const committing = this.#options.engine.transact?.(group.transaction) as Promise<Outcome>;
    committing.then(
      (outcome) => this.#answered(group, outcome),
      (error: unknown) => this.#rejected(group, error),
    );
  }

  #nextGroup(): Group {
    const passed = this.#passed;
    this.#passed = [];
    const { claim, clock } = this.#options;
    return buildGroup(this.#options, this.#takeSettlements(), passed, this.#document, claim(), clock.now());
  }

  #takeSettlements(): Settlement[] {
    const taken = groupSize(this.#queue, this.#single > 0);
    if (this.#single > 0) this.#single -= 1;
    if (taken < this.#queue.length) return this.#queue.splice(0, taken);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  #answered(group: Group, outcome: Outcome): void {
    if (this.#stopped) return;
    if (!outcome.committed) return this.#resolveConflict(group, outcome.conflict);
    this.#succeeded(group);
  }

  #succeeded(group: Group): void {
    const { progress, marks, claimWritten, onCommitted, onTrouble } = this.#options;
    this.#busy = false;
    this.#document = group.document;
    progress.forget();
    marks.committed(group.document.low);
    if (group.claimed) claimWritten();
    if (this.#retryDelayMs !== retryMs.first) {
      this.#retryDelayMs = retryMs.first;
      onTrouble(undefined);
    }
    for (const settlement of group.settlements) settlement.committed();
    onCommitted(group.settlements.length + group.passed.length);
    this.#flush();
  }

  /** Puts a group back in front of the queue, as if it had never been taken. */
  #putBack(group: Group, without?: Settlement): void {
    unsettleGroup(group, this.#options.progress);
    this.#busy = false;
    this.#passed = [...group.passed, ...this.#passed];
    this.#queue = [...group.settlements.filter((settlement) => settlement !== without), ...this.#queue];
  }

  #resolveConflict(group: Group, conflict: Conflict): void {
    switch (conflict.kind) {
      case "fence":
        return this.#fenced();
      case "check":
        return void this.#takeOutStale(group, conflict.index);
      case "id":
        return this.#takeOutTwin(group, conflict.index);
    }
  }

  #fenced(): void {
    const { key, fence } = this.#options;
    this.#lost(
      new TidingsError("TIDINGS_FENCED", `Another member has taken over ${key}.`, { details: { lease: fence.lease } }),
    );
  }

  async #takeOutStale(group: Group, named: number): Promise<void> {
    const { engine } = this.#options;
    const stale = await staleOf(engine.state as NonNullable<Engine["state"]>, group, named);
    if (this.#stopped) return;
    this.#putBack(group);
    for (const [settlement, name] of stale) {
      // An earlier one of its lane may have taken it back already.
      if (!this.#queue.includes(settlement)) continue;
      this.#queue = this.#queue.filter((other) => other !== settlement);
      settlement.conflicted(name);
    }
    this.#schedule();
  }

  /** Takes out the one that publishes an event under an id that another payload has. */
  #takeOutTwin(group: Group, index: number): void {
    const guilty = settlementAt(group, group.publishStarts, index);
    const entry = group.transaction.publish?.[index];
    const error = new TidingsError(
      "TIDINGS_ID_CONFLICT",
      `An event ${entry?.record.id} of ${entry?.record.source} exists with another payload on topic "${entry?.topic}".`,
      { details: { id: entry?.record.id ?? "", topic: entry?.topic ?? "" } },
    );
    this.#refuse(group, guilty, error);
  }

  #rejected(group: Group, error: unknown): void {
    if (this.#stopped) return;
    if (hasCode(error, "TIDINGS_OUTCOME_UNKNOWN")) return this.#lookUp(group);
    if (isTidingsError(error) && isFinal(error)) return this.#lost(error);
    if (isTidingsError(error) && error.retryable) return this.#tryLater(group, error.message);
    const writers = group.settlements.filter(({ writes }) => writes !== undefined);
    const [guilty] = writers;
    if (!guilty) return this.#tryLater(group, String(error));
    if (writers.length === 1) return this.#refuse(group, guilty, error);
    // Somebody's write is at fault; apart it shows whose.
    this.#single = group.settlements.length;
    this.#putBack(group);
    this.#schedule();
  }

  /** Takes out the one that is to blame, unless it must be written whatever it takes. */
  #refuse(group: Group, guilty: Settlement, error: unknown): void {
    if (!guilty.refused) return this.#tryLater(group, `what has to be written is refused: ${messageOf(error)}`);
    this.#putBack(group, guilty);
    guilty.refused(error);
    this.#schedule();
  }

  #tryLater(group: Group, trouble: string): void {
    this.#options.onTrouble(trouble);
    const delayMs = this.#retryDelayMs;
    this.#retryDelayMs = Math.min(retryMs.most, delayMs * 2);
    this.#options.clock.after(delayMs, () => {
      if (this.#stopped) return;
      this.#putBack(group);
      this.#flush();
    });
  }

  #lookUp(group: Group): void {
    if (this.#stopped) return;
    this.#tookEffect(group).then(
      (tookEffect) => {
        if (this.#stopped) return;
        if (tookEffect === undefined) this.#fenced();
        else if (tookEffect) this.#succeeded(group);
        else this.#tryLater(group, "the outcome of a commit was unknown; it did not take effect");
      },
      (error: unknown) => {
        if (this.#stopped) return;
        if (isTidingsError(error) && isFinal(error)) this.#lost(error);
        else this.#options.clock.after(this.#retryDelayMs, () => this.#lookUp(group));
      },
    );
  }

  /**
   * Whether a commit of unknown outcome took effect stands in the position document; undefined when somebody else has taken
   * over meanwhile, for then the number there may be the one of their first commit.
   */
  async #tookEffect({ document }: Group): Promise<boolean | undefined> {
    const { engine, key, fence } = this.#options;
    // When this is answered, the one in question has taken effect or never will.
    await engine.transact?.({ fences: [fence], durable: false });
    const [found] = await (engine.state as NonNullable<Engine["state"]>).get(collections.positions, [key]);
    const ours = await engine.transact?.({ fences: [fence], durable: false });
    if (!ours?.committed) return undefined;
    return found !== undefined && (JSON.parse(found.value) as PositionDocument).commit === document.commit;
  }

  #lost(error: TidingsError): void {
    this.stop();
    this.#options.onLost(error);
  }
}

/** Whether the engine will never work again. */
export function isFinal({ code }: TidingsError): boolean {
  return (
    code === "TIDINGS_STORE_REPLACED" ||
    code === "TIDINGS_DISK_FAILED" ||
    code === "TIDINGS_CLOSED" ||
    code === "TIDINGS_FILE_CORRUPT"
  );
}
