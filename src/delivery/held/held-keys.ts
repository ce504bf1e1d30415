import type { StoredRecord } from "../../event/record.ts";
import type { DocumentWrite, Fence, TimerWrite } from "../../ports/transaction.ts";
import type { Committer } from "../commit/committer.ts";
import type { Settlement } from "../commit/settlement.ts";
import { stopWaiting } from "../guards/entrance.ts";
import type { ClaimRun } from "../lanes/alone.ts";
import { type Delivery, type DeliveryOwner, noTries } from "../lanes/delivery.ts";
import { isIdConflict } from "../partition/inbox.ts";
import type { DeadLetter, Tries } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { reopenDeadLetter } from "./dead-letters.ts";
import { HeldDocuments } from "./held-documents.ts";
import {
  dueIn,
  type HeldEntry,
  heldCount,
  heldIdOfKey,
  heldIdOfPosition,
  newEntry,
  noteSuspect,
  waitOf,
} from "./held-entry.ts";
import { type Discard, HeldHeads, type HeldStep } from "./held-heads.ts";

/** What held keys of a partition work with. */
export interface HeldKeysOptions {
  readonly runtime: SubscriptionRuntime;
  readonly partition: number;
  readonly run: number;
  readonly committer: Committer;
  readonly fence: Fence;
  /**
   * Runs the head of an entry, once `claim` has said so in the store; ends in `succeeded`, `failedAgain`, `putBack` or
   * `discarded`. Resolves when it has run.
   */
  readonly start: (delivery: Delivery, claim?: ClaimRun) => Promise<void>;
  readonly owner: () => DeliveryOwner;
  /** Whether a delivery of the key is under way in its lane: then its head waits. */
  readonly laneBusy: (key: string) => boolean;
  /** Followers that came in through a lane are settled by being held. */
  readonly onHeld: (record: StoredRecord) => void;
}

/** How long a head waits for its lane, in milliseconds. */
const laneMs = 20;

/** An event that waits, and what remembers it in the inbox. */
type Waiting = Pick<Delivery, "record"> & Partial<Pick<Delivery, "identity" | "commitError">>;

/** The held keys of one partition, in the hands of its owner. */
export class HeldKeys {
  readonly #options: HeldKeysOptions;
  readonly #runtime: SubscriptionRuntime;
  readonly #documents: HeldDocuments;
  readonly #heads: HeldHeads;
  readonly #entries = new Map<string, HeldEntry>();
  #stopped = false;
  #lost = false;
  #begun = false;
  #size = 0;

  constructor(options: HeldKeysOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#documents = new HeldDocuments(options.runtime, options.partition, options.run);
    this.#heads = new HeldHeads(options, this.#documents, {
      arm: (entry) => this.#arm(entry),
      release: (entry) => this.#release(entry),
      released: (entry) => this.#released(entry),
      settle: (documents, more) => this.#settle(documents, more),
      count: (more) => void (this.#size += more),
      stopped: () => this.#stopped,
      lost: () => this.#lost,
    });
  }

  /** Reads what the store has; resolves with the entries whose head may have killed the process. */
  async load(): Promise<readonly HeldEntry[]> {
    const suspects: HeldEntry[] = [];
    for (const entry of await this.#documents.all()) {
      this.#entries.set(entry.id, entry);
      this.#size += heldCount(entry);
      if (entry.running !== undefined && heldCount(entry) > 0) suspects.push(entry);
    }
    return suspects;
  }

  /** Begins to run what is due, or goes on after a pause of the subscription. */
  begin(): void {
    this.#begun = true;
    for (const entry of Array.from(this.#entries.values())) this.#arm(entry);
  }

  /** No head begins to run any more; what runs is still settled, unless the partition is `lost`. */
  stop(lost: boolean): void {
    this.#stopped = true;
    this.#lost = lost;
    for (const entry of this.#entries.values()) {
      entry.cancelTimer?.();
      stopWaiting(entry, entry.guards);
    }
  }

  /** When no head runs any more: resolves when everything about them is on its way to the committer. */
  async drained(): Promise<void> {
    await this.#heads.drained();
    if (this.#lost || !this.#begun) return;
    // At most once, what has begun and was told to stop never begins again.
    if (this.#runtime.guarantee === "at-most-once") return;
    for (const entry of this.#entries.values()) {
      if (entry.running === undefined) continue;
      // One that should have run alone has still to do so, but nobody died under it.
      entry.running = entry.suspect ? "shared" : undefined;
      this.#settle([this.#documents.entry(entry)]);
    }
  }

  /** The entry behind which an event of this key must wait. */
  blocks(key: string): HeldEntry | undefined {
    if (this.#entries.size === 0) return undefined;
    const entry = this.#entries.get(heldIdOfKey(key));
    return entry?.blocking ? entry : undefined;
  }

  find(id: string): HeldEntry | undefined {
    return this.#entries.get(id);
  }

  entries(): Iterable<HeldEntry> {
    return this.#entries.values();
  }

  /** How many events wait. */
  size(): number {
    return this.#size;
  }

  /** Lets an event wait behind its key. */
  append(entry: HeldEntry, waiting: Waiting): void {
    if (entry.releasing) {
      entry.releasing = false;
      entry.reason = "drain";
    }
    this.#insert(entry, entry.nextSeq++, waiting);
  }

  #insert(entry: HeldEntry, seq: number, waiting: Waiting): void {
    const { record, identity } = waiting;
    this.#size += 1;
    this.#runtime.metrics.held.add();
    const documents = [this.#eventOf(entry, seq, waiting), this.#documents.entry(entry)];
    const committed = (): void => {
      this.#options.onHeld(record);
      if (!entry.busy) this.#arm(entry);
    };
    this.#settle(documents, { position: record.position, committed }, identity);
  }

  /** What it is to fail with is not forgotten while it waits. */
  #eventOf(entry: HeldEntry, seq: number, { record, commitError }: Waiting): DocumentWrite {
    return this.#documents.event(entry, seq, record, isIdConflict(commitError, record));
  }

  /** Holds a failed delivery, and with it what waited in its lane. */
  hold(delivery: Delivery, error: unknown, step: HeldStep, alone: boolean, followers: readonly Delivery[]): void {
    const { record } = delivery;
    const nowMs = this.#runtime.platform.clock.now();
    const id = alone ? heldIdOfPosition(record.position) : heldIdOfKey(record.key as string);
    // An operator may have paused the key while the delivery ran: then all of it goes in front of what waits already.
    const there = this.#entries.get(id);
    const entry = there ?? newEntry(id, record.key, !alone, nowMs, delivery.tries);
    if (there) entry.headSeq -= 1 + followers.length;
    else entry.nextSeq += 1 + followers.length;
    entry.tries = delivery.tries;
    entry.waitsFor = delivery.guarded?.waitsFor;
    // One that waits for a guard has not run: it has still to do so alone.
    if (delivery.suspect && error === undefined) noteSuspect(entry);
    entry.busy = true;
    entry.releasing = false;
    this.#entries.set(id, entry);
    const documents = [this.#eventOf(entry, entry.headSeq, delivery)];
    if (step.step === "park") documents.push(this.#heads.park(entry, record, error, step.reason));
    else if (entry.reason !== "paused") {
      entry.reason = "retry";
      dueIn(entry, this.#runtime.platform.clock, step.delayMs);
    }
    documents.push(this.#documents.entry(entry));
    this.#size += 1;
    this.#runtime.metrics.held.add();
    const more = {
      ...(delivery.as === "unknown" ? { counts: { unknown: -1, held: 1 } } : { position: record.position }),
      committed: (): void => {
        delivery.owner.committed(delivery);
        entry.busy = false;
        this.#arm(entry);
      },
    };
    this.#settle(documents, more, delivery.identity);
    let seq = entry.headSeq;
    for (const follower of followers) this.#insert(entry, ++seq, follower);
  }

  succeeded(delivery: Delivery): void {
    this.#heads.succeeded(delivery);
  }

  failedAgain(delivery: Delivery, error: unknown, step: HeldStep): void {
    this.#heads.failedAgain(delivery, error, step);
  }

  conflicted(delivery: Delivery): void {
    this.#heads.conflicted(delivery);
  }

  /** Whether the guards of a head that has a slot let it begin; if not, it waits for its turn there. */
  admits(delivery: Delivery): boolean {
    return this.#heads.admits(delivery);
  }

  putBack(entry: HeldEntry, tries: Tries): void {
    this.#heads.putBack(entry, tries);
  }

  /** Gives the head up. Resolves when that is on its way to the committer; `committed` is called when it is on disk. */
  discarded(entry: HeldEntry, how: Discard, committed?: () => void): Promise<void> {
    return this.#heads.discarded(entry, how, committed);
  }

  /**
   * Runs the head of a dead letter once more: the dead letter, its key and what else is written change in one commit.
   * Resolves when that is on disk, rejects when it was refused, and neither when the partition is lost before.
   */
  runNow(entry: HeldEntry, how: { record?: StoredRecord }, writes: readonly DocumentWrite[]): Promise<void> {
    const undo = { ...entry };
    entry.reason = "retry";
    entry.redriving = true;
    entry.dueAtMs = undefined;
    entry.tries = { ...noTries, attempts: entry.tries.attempts };
    entry.busy = true;
    const all = [this.#documents.entry(entry), ...writes];
    if (how.record) all.unshift(this.#documents.event(entry, entry.headSeq, how.record));
    return new Promise((resolve, reject) => {
      this.#settle(all, {
        committed: () => {
          entry.busy = false;
          this.#arm(entry);
          resolve();
        },
        refused: (error) => {
          Object.assign(entry, { ...undo, nextSeq: entry.nextSeq, busy: false });
          reject(error);
        },
      });
    });
  }

  /**
   * Holds the event of a discarded dead letter again: in front of its key when nothing of the key is under way, else
   * alone. Resolves and rejects as `runNow`.
   */
  restore(letter: DeadLetter, record: StoredRecord): Promise<void> {
    const { clock } = this.#runtime.platform;
    const blocking = this.#mayBlock(letter);
    const id = blocking ? letter.heldId : heldIdOfPosition(letter.position);
    const entry = newEntry(id, letter.key, blocking, clock.now(), letter.tries);
    Object.assign(entry, { reason: "dead", deadLetter: letter.id, nextSeq: entry.nextSeq + 1 });
    this.#entries.set(id, entry);
    this.#size += 1;
    const writes = [this.#documents.event(entry, entry.headSeq, record), this.#documents.entry(entry)];
    return new Promise((resolve, reject) => {
      this.#settle([...writes, ...reopenDeadLetter({ ...letter, heldId: id })], {
        counts: { held: 1, discarded: -1 },
        committed: resolve,
        refused: (error) => {
          this.#entries.delete(id);
          this.#size -= 1;
          reject(error);
        },
      });
    });
  }

  /** Whether an event may be put in front of its key: nothing of the key waits, and nothing of it runs. */
  #mayBlock({ key, heldId }: DeadLetter): boolean {
    return key !== null && heldId.startsWith("k:") && !this.#entries.has(heldId) && !this.#options.laneBusy(key);
  }

  /** Whether a discarded dead letter is not held: two operators may restore it at once. */
  mayRestore({ id }: DeadLetter): boolean {
    for (const { deadLetter } of this.#entries.values()) if (deadLetter === id) return false;
    return true;
  }

  /** The run of its subscription: a seek begins another one. */
  run(): number {
    return this.#options.run;
  }

  pauseKey(key: string, reason: string, untilMs: number | undefined): void {
    const id = heldIdOfKey(key);
    const entry = this.#entries.get(id) ?? newEntry(id, key, true, this.#runtime.platform.clock.now(), noTries);
    this.#entries.set(id, entry);
    entry.cancelTimer?.();
    stopWaiting(entry, entry.guards);
    entry.reason = "paused";
    entry.releasing = false;
    entry.note = reason;
    entry.dueAtMs = untilMs;
    this.#settle([this.#documents.entry(entry)], { committed: () => this.#arm(entry) });
  }

  resumeKey(entry: HeldEntry): void {
    entry.reason = "drain";
    entry.dueAtMs = undefined;
    entry.note = undefined;
    if (heldCount(entry) === 0) return this.#release(entry);
    this.#settle([this.#documents.entry(entry)], { committed: () => this.#arm(entry) });
  }

  /** Counts a death that the head has caused while it ran alone. */
  stalled(entry: HeldEntry): void {
    entry.tries = { ...entry.tries, stalls: entry.tries.stalls + 1 };
    this.#runtime.metrics.stalls.add();
  }

  /** `waited`: as long as its document says, whatever the wall clock has done meanwhile. */
  #arm(entry: HeldEntry, waited = false): void {
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    if (!this.#begun || this.#stopped || this.#runtime.paused()) return;
    if (entry.busy || entry.releasing || entry.reason === "dead" || this.#entries.get(entry.id) !== entry) return;
    if (entry.reason === "paused" && entry.dueAtMs === undefined) return;
    const { clock } = this.#runtime.platform;
    const delayMs = waited ? 0 : waitOf(entry, clock);
    if (delayMs === 0) this.#due(entry);
    else entry.cancelTimer = clock.after(delayMs, () => this.#arm(entry, true));
  }

  #due(entry: HeldEntry): void {
    const guard = entry.guards?.find((one) => !one.admits());
    if (entry.reason === "paused") this.resumeKey(entry);
    // By the time that it is woken it may have run, and have failed, and wait for another time.
    else if (guard) guard.wait(entry, () => this.#arm(entry));
    else if (heldCount(entry) === 0) this.#release(entry);
    else if (entry.blocking && this.#options.laneBusy(entry.key as string)) {
      // It ran already when an operator paused the key, and what was held then comes behind it.
      entry.cancelTimer = this.#runtime.platform.clock.after(laneMs, () => this.#arm(entry, true));
    } else this.#heads.run(entry);
  }

  #release(entry: HeldEntry): void {
    entry.releasing = true;
    entry.reason = "drain";
    // What joins it meanwhile lets it go on by itself.
    const committed = (): void => void (entry.releasing && this.#released(entry));
    this.#settle([this.#documents.entry(entry)], { committed, durable: false });
  }

  #released(entry: HeldEntry): void {
    entry.busy = false;
    if (heldCount(entry) === 0 && entry.releasing) {
      // Another one of this key may have taken its place.
      if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
      entry.cancelTimer?.();
      return;
    }
    entry.releasing = false;
    this.#arm(entry);
  }

  /** Commits documents with whatever else is settled by them. */
  #settle(documents: readonly DocumentWrite[], more: Partial<Settlement> = {}, identity?: TimerWrite): void {
    const { committer } = this.#options;
    const bytes = documents.reduce((sum, { value }) => sum + (value?.length ?? 0) + 64, 0);
    committer.add({
      position: -1,
      as: "held",
      counts: undefined,
      durable: true,
      writes: { documents: [...documents], bytes, ...(identity ? { timers: [identity] } : {}) },
      committed() {},
      conflicted() {},
      ...more,
    });
  }
}
