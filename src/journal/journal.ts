import { hasCode } from "../errors/tidings-error.ts";
import { recordBytes, type StoredRecord } from "../event/record.ts";
import type { CancelTimer } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { Bounds, TopicEntry } from "../ports/topics.ts";
import type { Conflict, Outcome } from "../ports/transaction.ts";
import { type Command, formatVersion, journalTopic, readEntry, recordOfCommand, recordOfPart } from "./command.ts";
import { closedError, fullError, lostError, newerError, tooLargeError, unknownError, unreadError } from "./errors.ts";
import { commandsPerSnapshot, Growth } from "./growth.ts";
import { lastSnapshot } from "./last-snapshot.ts";
import { Pace } from "./pace.ts";
import { Replica, type Result } from "./replica.ts";
import { partsOf, type Snapshot, Snapshots } from "./snapshots.ts";

const page = { events: 512, bytes: 1 << 20 };
/** How often to look for what others have written, besides the hints of the broker. */
const lookEveryMs = 500;
/** After a look the hints that come wait for so long, so that there is not one for each of our own commands. */
const restMs = 5;
/** A refused command tries to make room no more often. */
const makeRoomEveryMs = 1000;
const aDayMs = 24 * 60 * 60 * 1000;
/**
 * What a journal may take of an engine that removes its front by itself. A command is some hundred bytes, so that this is many times
 * what is written from one snapshot to the next; see `Growth` for what is refused.
 */
const bytesKept = 64 * 1024 * 1024;

interface Pending {
  readonly measured: () => void;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** What a journal works with. */
export interface JournalOptions {
  readonly broker: Engine;
  readonly platform: Platform;
}

/**
 * State that a broker keeps: commands stand in one partition, and every member applies them in their order to its own replica. What a
 * command came to is known when it is read back, and is the same for all, so fences and checks hold though the broker knows of none.
 * State machine replication over a total order; see F. B. Schneider, "Implementing fault-tolerant services using the state machine
 * approach", ACM Computing Surveys 22 (1990).
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #touched = new Set<string>();
  readonly #snapshots = new Snapshots();
  #replica = new Replica();
  readonly #growth = new Growth();
  readonly #pace: Pace;
  /** Position of what is read next; undefined before it is known where to begin. */
  #next: number | undefined;
  /** The journal is read up to here at least. */
  #wanted = 0;
  /** There may be more, so it is read to the end. */
  #hinted = false;
  #cancelRest: CancelTimer | undefined;
  #reading: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #lookingNext: Promise<void> | undefined;
  /** What time it was in the journal last, what its entry said of itself, and when that was heard of. */
  #heard = { atMs: 0, saidMs: 0, monotonicMs: 0 };
  /** What others know this member's clock by. */
  readonly #by: string;
  #written = 0;
  /** Whether something of our own was read back. */
  #spoke = false;
  #madeRoomAtMs = Number.NEGATIVE_INFINITY;
  #snapshotting: Promise<void> | undefined;
  #cancelLook: CancelTimer | undefined;
  #unwatch: (() => void) | undefined;
  #making: Promise<void> | undefined;
  #broken: unknown;
  #closed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#by = options.platform.ids.next();
    this.#pace = new Pace(options.platform.clock);
  }

  get replica(): Replica {
    return this.#replica;
  }

  /** Why nothing can be said or written any more; undefined while all is well. */
  get broken(): unknown {
    return this.#broken;
  }

  /** Appends a command, in a journal that is made where there is none; resolves with what came of it. Commands of one process stand in the order of their calls. */
  submit(command: Command): Promise<Result> {
    if (this.#closed || this.#broken !== undefined) return Promise.reject(this.#broken ?? closedError());
    // Not an async function: whoever finds it made keeps the order of the calls.
    if (this.#unwatch && this.#next !== undefined && !this.#making) return this.#append(command);
    return this.#make().then(() => this.#append(command));
  }

  /** Why commands are refused for now; undefined when they are not. */
  trouble(): string | undefined {
    if (this.#broken !== undefined) return String((this.#broken as Error).message);
    return this.#growth.full ? fullError(this.#options.broker, this.#growth.bytesKept ?? 0).message : undefined;
  }

  #append(command: Command): Promise<Result> {
    const { broker, platform } = this.#options;
    const refused = this.#refusal(command);
    if (refused) return Promise.reject(refused);
    const id = platform.ids.next();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { measured: this.#pace.writing(), resolve, reject });
      const fail = (error: unknown): void => {
        this.#pending.delete(id);
        reject(error);
      };
      const record = recordOfCommand(id, { by: this.#by, n: (this.#written += 1) }, command, platform.clock.now());
      broker.topics.publish([entryOf(record)]).then(([appended]) => {
        // It is there: that it cannot be read back is no refusal.
        this.#readTo((appended?.position ?? 0) + 1).catch((error: unknown) => fail(unreadError(error)));
      }, fail);
    });
  }

  /** Where the engine keeps so many bytes only, what could push the last snapshot out of them is not taken. */
  #refusal(command: Command): Error | undefined {
    const { broker, platform } = this.#options;
    const kept = this.#growth.bytesKept;
    if (kept === undefined) return undefined;
    if (this.#growth.full) {
      const nowMs = platform.clock.monotonic();
      if (nowMs - this.#madeRoomAtMs >= makeRoomEveryMs) {
        this.#madeRoomAtMs = nowMs;
        this.#snapshot((this.#next ?? 0) - 1);
      }
      return fullError(broker, kept);
    }
    const grows = command.op === "write" && this.#replica.adds(command);
    return grows && this.#growth.tooLarge(this.#replica.chars) ? tooLargeError(broker, kept) : undefined;
  }

  /** Resolves when everything is applied that was acknowledged to anybody before the call. */
  fresh(): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (!this.#looking) {
      this.#looking = this.#look().finally(() => (this.#looking = undefined));
      return this.#looking;
    }
    // The look that is under way may have begun too early for this call.
    this.#lookingNext ??= this.#looking
      .catch(() => undefined)
      .then(() => {
        this.#lookingNext = undefined;
        return this.fresh();
      });
    return this.#lookingNext;
  }

  /** Why a write would be refused at this moment; undefined when it would be made. */
  async conflictOf({ fences, checks }: Extract<Command, { op: "write" }>): Promise<Conflict | undefined> {
    if (this.#pace.prefersCommands) {
      const outcome = (await this.submit({ op: "write", fences, checks, documents: [], timers: [] })) as Outcome;
      return outcome.committed ? undefined : outcome.conflict;
    }
    await this.fresh();
    return this.#replica.conflictOf({ fences, checks });
  }

  /** What time the broker has, about. */
  nowMs(): number {
    const { clock } = this.#options.platform;
    // What was read and is not our own may be old.
    const { atMs, saidMs } = this.#heard;
    if (!this.#spoke) return this.#ownClocks ? atMs + Math.max(0, clock.now() - saidMs) : clock.now();
    return atMs + (clock.monotonic() - this.#heard.monotonicMs);
  }

  watch(collection: string, listener: () => void): () => void {
    // Each watch is its own entry, so that the same function may watch twice and stop once.
    const entry = (): void => listener();
    const listeners = this.#watchers.get(collection) ?? new Set();
    this.#watchers.set(collection, listeners.add(entry));
    // Others may make the journal.
    if (!this.#cancelLook) this.#lookAgain();
    return () => void listeners.delete(entry);
  }

  /** What is under way comes to its end; the broker is closed by whoever opened it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelLook?.();
    this.#cancelRest?.();
    this.#unwatch?.();
    this.#watchers.clear();
    await this.#snapshotting;
    await Promise.allSettled([this.#reading, this.#looking, this.#lookingNext]);
    for (const { reject } of this.#pending.values()) reject(closedError());
    this.#pending.clear();
  }

  /** One declaration for all calls that come before it is done. */
  #make(): Promise<void> {
    if (this.#making) return this.#making;
    const { topics, capabilities } = this.#options.broker;
    const spec = { name: journalTopic, partitions: 1, ...(capabilities.boundedTopics ? { bytesKept } : {}) };
    // What it was made with is looked up: somebody else may have been first.
    const made = topics.declare([spec]).then(() => this.fresh());
    this.#making = made;
    // Only behind those that waited for it: whoever calls now must not overtake them.
    void Promise.allSettled([made]).then(() => (this.#making = undefined));
    return made;
  }

  #begun(): void {
    if (this.#unwatch || this.#closed) return;
    this.#unwatch = this.#options.broker.topics.watch(journalTopic, () => this.#hint());
    if (!this.#cancelLook) this.#lookAgain();
  }

  async #look(): Promise<void> {
    const { topics } = this.#options.broker;
    const measured = this.#pace.looking();
    if (!this.#unwatch) {
      const found = await topics.find(journalTopic);
      if (!found) return;
      this.#growth.bytesKept = found.bytesKept;
      this.#begun();
    }
    await this.#readTo((await this.#bounds()).next);
    measured();
  }

  async #bounds(): Promise<Bounds> {
    return (await this.#options.broker.topics.bounds(journalTopic))[0] ?? { first: 0, next: 0 };
  }

  /** There may be more: looks at once, and once more after a rest when hints came meanwhile. */
  #hint(): void {
    if (this.#closed || this.#broken !== undefined) return;
    this.#hinted = true;
    if (this.#cancelRest) return;
    const rested = (): void => {
      this.#cancelRest = undefined;
      if (this.#hinted) this.#hint();
    };
    this.#cancelRest = this.#options.platform.clock.after(restMs, rested, true);
    const look = this.#next === undefined ? this.fresh() : this.#readTo(0, true);
    look.catch(() => undefined);
  }

  #lookAgain(): void {
    this.#cancelLook = this.#options.platform.clock.after(
      lookEveryMs,
      () => {
        this.#hint();
        if (!this.#closed) this.#lookAgain();
      },
      true,
    );
  }

  /** One reader at a time; it goes on until it has come to where anybody wants it, and then to the end if it may be further. */
  #readTo(position: number, onwards = false): Promise<void> {
    this.#wanted = Math.max(this.#wanted, position);
    if (this.#reading) return this.#reading;
    if (this.#next !== undefined && this.#next >= this.#wanted && !onwards) return Promise.resolve();
    return (this.#reading = this.#read(onwards));
  }

  async #read(onwards: boolean): Promise<void> {
    const { topics } = this.#options.broker;
    try {
      if (this.#next === undefined) await this.#begin(await this.#bounds());
      for (let more = onwards; ;) {
        const at = this.#next ?? 0;
        const wanted = this.#wanted;
        const known = wanted - at;
        if (known <= 0 && !more) return;
        if (more) this.#hinted = false;
        // What is known to be there comes at once; whether there is more some engines have to ask for.
        const events = more ? page.events : Math.min(page.events, known);
        const { records, next, lost, end } = await topics.read(journalTopic, 0, at, { ...page, events });
        if (lost > 0) {
          await this.#begin(await this.#bounds());
          continue;
        }
        for (const record of records) this.#apply(record);
        // An empty page says nothing of what came while it was on its way.
        if (next <= at && this.#wanted <= wanted) return;
        this.#next = next;
        more &&= !end;
      }
    } finally {
      // At once: whoever wants more from now on begins to read.
      this.#reading = undefined;
    }
  }

  /** Begins with the last snapshot, or where there is none with an empty replica, unless the front of the journal is gone. */
  async #begin({ first, next }: Bounds): Promise<void> {
    const { clock } = this.#options.platform;
    const found = first > 0 || next > commandsPerSnapshot ? await this.#lastSnapshot({ first, next }) : undefined;
    if (first > 0 && !found) throw (this.#broken = lostError(this.#options.broker));
    this.#snapshots.clear();
    this.#growth.clear();
    this.#replica = found ? Replica.restore(found.dump) : new Replica();
    this.#heard = { atMs: this.#replica.timeMs, saidMs: this.#replica.timeMs, monotonicMs: clock.monotonic() };
    this.#next = found ? found.at + 1 : 0;
    // Whoever was away for so long cannot know what became of what it had written.
    for (const { reject } of this.#pending.values()) reject(unknownError());
    this.#pending.clear();
    for (const collection of this.#watchers.keys()) this.#touch(collection);
  }

  #lastSnapshot(bounds: Bounds): Promise<Snapshot | undefined> {
    return lastSnapshot(this.#options.broker, bounds).catch((error: unknown) => {
      if (hasCode(error, "TIDINGS_SCHEMA_TOO_NEW")) this.#broken = error;
      throw error;
    });
  }

  #apply(record: StoredRecord): void {
    const { clock } = this.#options.platform;
    const bytes = recordBytes(record);
    const entry = readEntry(record);
    const due = this.#growth.read(record.position, bytes, entry?.command !== undefined);
    if (!entry) return;
    if (!this.#ownClocks) this.#replica.passed(record.appendedAtMs);
    else if (entry.by !== undefined) this.#replica.passedAt(entry.by, record.appendedAtMs);
    if (this.#replica.timeMs > this.#heard.atMs)
      this.#heard = { atMs: this.#replica.timeMs, saidMs: record.appendedAtMs, monotonicMs: clock.monotonic() };
    if (entry.v > formatVersion) throw (this.#broken = newerError(this.#options.broker));
    const whole = entry.part && this.#snapshots.add(entry.part, bytes);
    if (whole) this.#growth.snapshot(whole.at, whole.bytes);
    if (!entry.command) return;
    const { by, n } = entry;
    if (by !== undefined && n !== undefined && !this.#replica.isNew({ by, n })) {
      this.#pending.get(record.id)?.reject(unknownError());
      return void this.#pending.delete(record.id);
    }
    const result = this.#replica.apply(entry.command, (collection) => this.#touch(collection));
    const pending = this.#pending.get(record.id);
    if (!pending) return;
    this.#pending.delete(record.id);
    this.#spoke = true;
    pending.measured();
    pending.resolve(result);
    if (due) this.#snapshot(record.position);
  }

  /** Whether times in the journal are by the clock of each member. */
  get #ownClocks(): boolean {
    return this.#options.broker.capabilities.appendTimes === "publisher";
  }

  /** Leaves a snapshot of what all up to that position has come to. A failure is no matter: another one will. */
  #snapshot(at: number): void {
    if (this.#snapshotting || this.#closed) return;
    const { broker, platform } = this.#options;
    const id = platform.ids.next();
    const dump = this.#replica.dump();
    const entries = partsOf(id, at, formatVersion, dump, broker.capabilities.eventBytesMax).map((part) =>
      entryOf(recordOfPart(platform.ids.next(), part, platform.clock.now())),
    );
    if (!this.#growth.fits(entries.reduce((sum, { record }) => sum + recordBytes(record), 0))) return;
    const work = async (): Promise<void> => {
      await broker.topics.publish(entries);
      // What lies before it is in it. Who bounds topics removes it without a word.
      if (!broker.capabilities.boundedTopics)
        await broker.topics.retain(journalTopic, { appendedBeforeMs: this.nowMs() + aDayMs, floor: [at + 1] });
    };
    this.#snapshotting = work()
      .catch(() => undefined)
      .finally(() => (this.#snapshotting = undefined));
  }

  #touch(collection: string): void {
    if (!this.#watchers.has(collection)) return;
    if (this.#touched.size === 0)
      this.#options.platform.clock.soon(() => {
        const collections = [...this.#touched];
        this.#touched.clear();
        for (const each of collections) for (const listener of this.#watchers.get(each) ?? []) listener();
      });
    this.#touched.add(collection);
  }
}

const entryOf = (record: TopicEntry["record"]): TopicEntry => ({ topic: journalTopic, partition: 0, record });
