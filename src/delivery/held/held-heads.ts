import { TidingsError } from "../../errors/tidings-error.ts";
import type { StoredRecord } from "../../event/record.ts";
import { sleep } from "../../platform/clock.ts";
import type { DocumentWrite } from "../../ports/transaction.ts";
import type { Settlement } from "../commit/settlement.ts";
import type { NextStep } from "../failure/retry.ts";
import { stalledError } from "../failure/stalled.ts";
import { admit, GuardNotes, mustWait } from "../guards/entrance.ts";
import { Delivery, noTries } from "../lanes/delivery.ts";
import type { DeadLetter, DeadLetterReason, Tries } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { UnitWrites } from "../unit-of-work.ts";
import { closeDeadLetter, type Closing, deadLetterOf, writeDeadLetter } from "./dead-letters.ts";
import { idConflictOf } from "../partition/inbox.ts";
import type { HeldDocuments, HeldHead } from "./held-documents.ts";
import { dueIn, type HeldEntry, heldCount } from "./held-entry.ts";
import type { HeldKeysOptions } from "./held-keys.ts";

/** Steps that keep a key held. */
export type HeldStep = NextStep & { step: "hold" | "park" };

/** By whom a head is given up, and how long that can be undone. */
export type Discard = Pick<Closing, "by" | "undoMs" | "note">;

/** What becomes of an entry around a run of its head, in the hands of the held keys. */
export interface HeldEntries {
  /** Lets the entry run when it is due. */
  arm(entry: HeldEntry): void;
  /** Nothing waits any more: later events of the key go through their lane again. */
  release(entry: HeldEntry): void;
  /** Its head is gone for good, and committed. */
  released(entry: HeldEntry): void;
  /** Commits documents. */
  settle(documents: readonly DocumentWrite[], more?: Partial<Settlement>): void;
  /** So many more events wait. */
  count(more: number): void;
  /** No head may begin to run any more. */
  stopped(): boolean;
  /** Nothing can be committed any more. */
  lost(): boolean;
}

/** How long to wait before something that could not be read or run now is tried again, in milliseconds. */
const againMs = 1000;

/** Runs the heads of the held keys of one partition, and does what follows. */
export class HeldHeads {
  readonly #options: HeldKeysOptions;
  readonly #runtime: SubscriptionRuntime;
  readonly #documents: HeldDocuments;
  readonly #entries: HeldEntries;
  /** Reads of dead letters on which something waits. */
  readonly #reading = new Set<Promise<void>>();

  constructor(options: HeldKeysOptions, documents: HeldDocuments, entries: HeldEntries) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#documents = documents;
    this.#entries = entries;
  }

  /** Runs the head of an entry, or releases the entry when it has none. */
  run(entry: HeldEntry): void {
    entry.busy = true;
    this.#run(entry).catch((error: unknown) => {
      const { log, name } = this.#runtime;
      log.error({ subscription: name, key: entry.key, err: error }, "a held event could not be run");
      if (!this.#entries.stopped()) this.#tryLater(entry);
    });
  }

  async #run(entry: HeldEntry): Promise<void> {
    const head = await this.#documents.head(entry);
    if (this.#entries.stopped()) return;
    if (!head) {
      // What has just joined may still be on its way to the disk.
      if (heldCount(entry) > 0) return this.#tryLater(entry);
      entry.busy = false;
      return this.#entries.release(entry);
    }
    entry.headSeq = head.seq;
    const delivery = this.#deliveryOf(entry, head);
    if (delivery && !this.#waits(entry, delivery)) this.#start(entry, delivery);
    else entry.busy = false;
  }

  #tryLater(entry: HeldEntry): void {
    entry.busy = false;
    dueIn(entry, this.#runtime.platform.clock, againMs);
    this.#entries.arm(entry);
  }

  #deliveryOf(entry: HeldEntry, { record, idConflict }: HeldHead): Delivery | undefined {
    const { runtime, owner } = this.#options;
    const route = runtime.routes.get(record.type);
    if (!route) {
      // Its handler is gone since: it waits for one, visibly.
      runtime.log.error(
        { subscription: runtime.name, event: record.id, type: record.type },
        "a held event has no handler any more",
      );
      return undefined;
    }
    const delivery = new Delivery(record, route, owner());
    delivery.held = entry;
    delivery.tries = entry.tries;
    if (entry.suspect && runtime.guarantee === "at-most-once") delivery.commitError = begunBefore(record, runtime.name);
    else if (entry.suspect && entry.tries.stalls >= route.policy.retry.stallsMax)
      delivery.commitError = stalledError(record, runtime.name, entry.tries.stalls);
    // Whoever redrives it wants it to be handled.
    else if (idConflict && !entry.redriving) delivery.commitError = idConflictOf(record, runtime.name);
    return delivery;
  }

  /** Whether a head has to wait for its guards: then the entry is armed when it is worth asking again. */
  #waits(entry: HeldEntry, delivery: Delivery): boolean {
    const { guards } = delivery.route;
    // What is given up without a run waits for nobody.
    if (delivery.commitError !== undefined || (!guards && !entry.waitsFor)) return false;
    delivery.guarded = new GuardNotes();
    delivery.guarded.waitsFor = entry.waitsFor;
    delivery.guarded.since = entry.waitingSince;
    const waits = mustWait(delivery, this.#runtime.platform.clock, entry, () => this.#entries.arm(entry));
    this.#noteWait(entry, delivery, waits);
    return waits;
  }

  /** Whether the guards of a head that has a slot let it begin; if not, it waits for its turn there. */
  admits(delivery: Delivery): boolean {
    const entry = delivery.held as HeldEntry;
    if (!delivery.guarded && !delivery.route.guards) return true;
    const isAdmitted = admit(delivery, this.#runtime.platform.clock, entry, () => this.#entries.arm(entry));
    this.#noteWait(entry, delivery, !isAdmitted);
    if (isAdmitted) return true;
    entry.busy = false;
    const waiting = entry.suspect ? "shared" : undefined;
    if (entry.running !== waiting) {
      // It was to run once more, and has been claimed.
      entry.running = waiting;
      this.#entries.settle([this.#documents.entry(entry)]);
    }
    return false;
  }

  #noteWait(entry: HeldEntry, { guarded, route, tries }: Delivery, waits: boolean): void {
    entry.waitingSince = guarded?.since;
    entry.tries = tries;
    entry.guards = waits ? [...(entry.waitsFor ? [entry.waitsFor] : []), ...(route.guards ?? [])] : undefined;
  }

  #start(entry: HeldEntry, delivery: Delivery): void {
    const { gate } = this.#runtime;
    const claim = (running: HeldEntry["running"]) => () => this.#claim(entry, running);
    if (!entry.suspect) return void this.#options.start(delivery, claim("shared"));
    gate.enter();
    // Claimed only then: others that wait for their turn must not be blamed for what this one does.
    void gate.alone(() => this.#options.start(delivery, claim("solo"))).finally(() => gate.leave());
  }

  /**
   * Says in the store that the head runs, before it does, so that a death of the process is seen to have happened under it. In
   * its turn among the commits: what was on its way there before, of others that came to wait behind it, says nothing of
   * the run and would take it back. At most once, what has begun is known by this alone, also after a power cut.
   */
  async #claim(entry: HeldEntry, running: HeldEntry["running"]): Promise<boolean> {
    const { runtime, committer } = this.#options;
    entry.running = running;
    const written = new Promise<void>((committed) =>
      this.#entries.settle([this.#documents.entry(entry)], {
        committed,
        durable: runtime.guarantee === "at-most-once",
      }),
    );
    return committer.through(written).then(
      () => true,
      () => false,
    );
  }

  succeeded(delivery: Delivery): void {
    const entry = delivery.held as HeldEntry;
    void this.#withLetter(entry, (letter) => this.#settleHead(delivery, entry, letter));
  }

  /** Goes on with the dead letter of an entry: at once where there is none, and not at all when it cannot be read any more. */
  #withLetter(entry: HeldEntry, goOn: (letter: DeadLetter | undefined) => void): Promise<void> | undefined {
    if (entry.deadLetter === undefined) {
      goOn(undefined);
      return undefined;
    }
    const reading = this.#readLetter(entry, goOn).finally(() => this.#reading.delete(reading));
    this.#reading.add(reading);
    return reading;
  }

  /** Resolves when nothing waits for a dead letter. */
  async drained(): Promise<void> {
    await Promise.all(this.#reading);
  }

  /** However often the store must be asked: without the dead letter a story would be lost. Never rejects. */
  async #readLetter(entry: HeldEntry, goOn: (letter: DeadLetter | undefined) => void): Promise<void> {
    const { name, log, platform } = this.#runtime;
    do {
      try {
        const letter = await this.#documents.letter(entry);
        if (!this.#entries.lost()) goOn(letter);
        return;
      } catch (error) {
        log.warn(
          { subscription: name, key: entry.key, err: error },
          "a dead letter could not be read, and is read again",
        );
        await sleep(platform.clock, againMs);
      }
    } while (!this.#entries.stopped());
  }

  /** Commits the success of a head; if what it read has changed meanwhile, everything is as before and it runs again. */
  #settleHead(delivery: Delivery, entry: HeldEntry, letter: DeadLetter | undefined): void {
    const unit = delivery.unit?.writes;
    const undo = { ...entry };
    const own = this.#behead(entry);
    const nowMs = this.#runtime.platform.clock.now();
    if (letter) own.push(...closeDeadLetter(letter, { state: "resolved", nowMs, by: "redrive" }));
    const writes: UnitWrites = {
      ...unit,
      documents: [...(unit?.documents ?? []), ...own],
      bytes: (unit?.bytes ?? 0) + 1000,
    };
    delivery.counts = { held: -1, handled: 1 };
    this.#options.committer.add({
      position: -1,
      as: "handled",
      counts: delivery.counts,
      writes,
      durable: true,
      committed: () => {
        delivery.committed();
        this.#entries.released(entry);
      },
      conflicted: (changed) => {
        this.#takeBack(entry, undo);
        delivery.conflicted(changed);
      },
      refused: (error) => {
        this.#takeBack(entry, undo);
        delivery.refused(error);
      },
    });
  }

  /** The head is there again; what joined meanwhile stays, and so does what operators have said of the key. */
  #takeBack(entry: HeldEntry, undo: HeldEntry): void {
    const { nextSeq, reason, note, dueAtMs, due } = entry;
    const said = reason === "paused" || undo.reason === "paused" ? { reason, note, dueAtMs, due } : {};
    Object.assign(entry, { ...undo, nextSeq, busy: true, releasing: false, ...said });
    this.#entries.count(1);
    this.#entries.settle([this.#documents.entry(entry)]);
  }

  /** After its head is gone for good: the next one is the head, with tries of its own. */
  #behead(entry: HeldEntry): DocumentWrite[] {
    const gone = this.#documents.event(entry, entry.headSeq, null);
    entry.headSeq += 1;
    entry.tries = noTries;
    entry.waitsFor = undefined;
    entry.guards = undefined;
    entry.running = undefined;
    entry.suspect = false;
    entry.redriving = false;
    entry.deadLetter = undefined;
    // An operator may have paused the key while its head ran: what waits behind it goes on waiting.
    if (entry.reason !== "paused") {
      entry.dueAtMs = undefined;
      entry.reason = "drain";
      entry.releasing = heldCount(entry) === 0;
    }
    this.#entries.count(-1);
    return [gone, this.#documents.entry(entry)];
  }

  failedAgain(delivery: Delivery, error: unknown, step: HeldStep): void {
    const entry = delivery.held as HeldEntry;
    entry.tries = delivery.tries;
    entry.running = undefined;
    entry.suspect = false;
    void this.#withLetter(entry, (before) => this.#hold(delivery, entry, error, step, before));
  }

  #hold(delivery: Delivery, entry: HeldEntry, error: unknown, step: HeldStep, before: DeadLetter | undefined): void {
    const writes: DocumentWrite[] = [];
    if (step.step === "park") writes.push(this.park(entry, delivery.record, error, step.reason, before));
    else if (entry.reason !== "paused") {
      entry.reason = "retry";
      dueIn(entry, this.#runtime.platform.clock, step.delayMs);
    }
    this.#entries.settle([...writes, this.#documents.entry(entry)], {
      committed: () => {
        entry.busy = false;
        this.#entries.arm(entry);
      },
    });
  }

  /** Makes a dead letter of the head of an entry. */
  park(
    entry: HeldEntry,
    record: StoredRecord,
    error: unknown,
    reason: DeadLetterReason,
    before?: DeadLetter,
  ): DocumentWrite {
    entry.reason = "dead";
    entry.dueAtMs = undefined;
    entry.redriving = false;
    entry.deadLetter ??= this.#runtime.platform.ids.next();
    this.#runtime.metrics.deadLetters.add();
    const { id: heldId, deadLetter: id, tries } = entry;
    const { run } = this.#options;
    return writeDeadLetter(deadLetterOf({ id, record, heldId, reason, error, tries, run, before }, this.#runtime));
  }

  /** What the head had read was another by the time of its commit. */
  conflicted(delivery: Delivery): void {
    void this.#options.start(delivery);
  }

  putBack(entry: HeldEntry, tries: Tries): void {
    entry.busy = false;
    entry.tries = tries;
    entry.running = entry.suspect ? "shared" : undefined;
    this.#entries.settle([this.#documents.entry(entry)]);
    if (entry.reason !== "paused") dueIn(entry, this.#runtime.platform.clock, againMs);
    this.#entries.arm(entry);
  }

  /** Resolves when the discard is on its way to the committer; `committed` is called when it is on disk. */
  async discarded(entry: HeldEntry, how: Discard, committed?: () => void): Promise<void> {
    entry.busy = true;
    await this.#withLetter(entry, (letter) => {
      const own = this.#behead(entry);
      const nowMs = this.#runtime.platform.clock.now();
      if (letter) own.push(...closeDeadLetter(letter, { state: "discarded", nowMs, ...how }));
      this.#entries.settle(own, {
        as: "discarded",
        counts: { held: -1, discarded: 1 },
        committed: () => {
          this.#entries.released(entry);
          committed?.();
        },
      });
    });
  }
}

/** At most once, a head that had begun when its process died does not begin again: it fails with this. */
function begunBefore({ id, type }: StoredRecord, subscription: string): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    `The process that handled "${type}" in "${subscription}" ended before it was known what came of it; at most once, it is not handled again unless somebody redrives it.`,
    { details: { subscription, type, event: id } },
  );
}
