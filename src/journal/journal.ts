import { TidingsError } from "../errors/tidings-error.ts";
import type { StoredRecord } from "../event/record.ts";
import type { CancelTimer } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { TopicEntry } from "../ports/topics.ts";
import { type Command, formatVersion, journalTopic, readEntry, recordOfCommand, recordOfPart } from "./command.ts";
import { Replica, type Result } from "./replica.ts";
import { commandsPerSnapshot, partsOf, Snapshots } from "./snapshots.ts";

const page = { events: 512, bytes: 1 << 20 };
/** How often to look for what others have written, besides the hints of the broker. */
const lookEveryMs = 500;
const aDayMs = 24 * 60 * 60 * 1000;

interface Pending {
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
  /** Position of what is read next; undefined before the first read. */
  #next: number | undefined;
  /** The journal is read up to here at least. */
  #wanted = 0;
  #reading: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #lookingNext: Promise<void> | undefined;
  /** What the broker's clock said last, and when that was heard of. */
  #heard = { atMs: 0, monotonicMs: 0 };
  /** Whether something of our own was read back. */
  #spoke = false;
  #sinceSnapshot = 0;
  #snapshotting: Promise<void> | undefined;
  #cancelLook: CancelTimer | undefined;
  #unwatch: (() => void) | undefined;
  #making: Promise<void> | undefined;
  #broken: unknown;
  #closed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
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
    return this.#unwatch && !this.#making ? this.#append(command) : this.#make().then(() => this.#append(command));
  }

  #append(command: Command): Promise<Result> {
    const { broker, platform } = this.#options;
    const id = platform.ids.next();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      const fail = (error: unknown): void => {
        this.#pending.delete(id);
        reject(error);
      };
      const record = recordOfCommand(id, command, platform.clock.now());
      broker.topics.publish([entryOf(record)]).then(([appended]) => {
        this.#readTo((appended?.position ?? 0) + 1).catch(fail);
      }, fail);
    });
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

  /** What time the broker has, about. */
  nowMs(): number {
    const { clock } = this.#options.platform;
    // What was read and is not our own may be old.
    if (!this.#spoke) return clock.now();
    return this.#heard.atMs + (clock.monotonic() - this.#heard.monotonicMs);
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
    const { topics } = this.#options.broker;
    const made = topics.declare([{ name: journalTopic, partitions: 1 }]).then(() => this.#begun());
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
    if (!this.#unwatch) {
      if (!(await topics.find(journalTopic))) return;
      this.#begun();
    }
    const [bounds] = await topics.bounds(journalTopic);
    if (this.#next === undefined) await this.#begin(bounds?.first ?? 0);
    await this.#readTo(bounds?.next ?? 0);
  }

  #hint(): void {
    if (this.#closed || this.#broken !== undefined) return;
    this.fresh().catch(() => undefined);
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

  /** One reader at a time; it goes on until it has come to where anybody wants it. */
  #readTo(position: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, position);
    return (this.#reading ??= this.#read().finally(() => (this.#reading = undefined)));
  }

  async #read(): Promise<void> {
    const { topics } = this.#options.broker;
    while ((this.#next ?? 0) < this.#wanted) {
      const at = this.#next ?? 0;
      const { records, next, lost } = await topics.read(journalTopic, 0, at, page);
      if (lost > 0) {
        await this.#begin((await topics.bounds(journalTopic))[0]?.first ?? 0);
        continue;
      }
      for (const record of records) this.#apply(record);
      if (next <= at) break;
      this.#next = next;
    }
  }

  /** Begins with an empty replica, or with the last snapshot when the front of the journal is gone. */
  async #begin(first: number): Promise<void> {
    this.#snapshots.clear();
    this.#replica = new Replica();
    this.#next = first;
    if (first === 0) return;
    const found = await this.#lastSnapshot(first);
    if (!found) throw (this.#broken = lostError(this.#options.broker));
    this.#replica = Replica.restore(found.dump);
    this.#next = found.at + 1;
    // Whoever was away for so long cannot know what became of what it had written.
    for (const { reject } of this.#pending.values()) reject(unknownError());
    this.#pending.clear();
  }

  async #lastSnapshot(first: number): Promise<{ readonly at: number; readonly dump: string } | undefined> {
    const { topics } = this.#options.broker;
    const snapshots = new Snapshots();
    let last: { readonly at: number; readonly dump: string } | undefined;
    for (let position = first, end = false; !end;) {
      const read = await topics.read(journalTopic, 0, position, page);
      for (const record of read.records) {
        const part = readEntry(record)?.part;
        const whole = part && snapshots.add(part);
        if (whole && whole.at >= (last?.at ?? first - 1)) last = whole;
      }
      end = read.next <= position;
      position = read.next;
    }
    return last;
  }

  #apply(record: StoredRecord): void {
    const { clock } = this.#options.platform;
    if (record.appendedAtMs > this.#heard.atMs)
      this.#heard = { atMs: record.appendedAtMs, monotonicMs: clock.monotonic() };
    const entry = readEntry(record);
    if (!entry) return;
    if (entry.v > formatVersion) throw (this.#broken = newerError(this.#options.broker));
    if (entry.part && this.#snapshots.add(entry.part)) this.#sinceSnapshot = 0;
    if (!entry.command) return;
    const result = this.#replica.apply(entry.command, this.#heard.atMs, (collection) => this.#touch(collection));
    this.#sinceSnapshot += 1;
    const pending = this.#pending.get(record.id);
    if (!pending) return;
    this.#pending.delete(record.id);
    this.#spoke = true;
    pending.resolve(result);
    if (this.#sinceSnapshot >= commandsPerSnapshot) this.#snapshot(record.position);
  }

  /** Whoever has written a command that makes it worth while leaves a snapshot. A failure is no matter: another one will. */
  #snapshot(at: number): void {
    if (this.#snapshotting || this.#closed) return;
    const { broker, platform } = this.#options;
    this.#sinceSnapshot = 0;
    const id = platform.ids.next();
    const dump = this.#replica.dump();
    const entries = partsOf(id, at, formatVersion, dump, broker.capabilities.eventBytesMax).map((part) =>
      entryOf(recordOfPart(platform.ids.next(), part, platform.clock.now())),
    );
    const work = async (): Promise<void> => {
      await broker.topics.publish(entries);
      // What lies before it is in it.
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

const closedError = (): TidingsError => new TidingsError("TIDINGS_CLOSED", "The journal is closed.");

const unknownError = (): TidingsError =>
  new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    "This member was away for so long that the journal of its broker went on without it: what it wrote last may have been done or not.",
  );

const lostError = ({ name, address }: Engine): TidingsError =>
  new TidingsError(
    "TIDINGS_STORE_REPLACED",
    `The front of the topic "${journalTopic}" on ${name} at ${address} is gone, and no snapshot of it is left: the positions of the subscriptions are lost. Remove that topic to begin anew, and take retention off it.`,
    { details: { engine: name } },
  );

const newerError = ({ name, address }: Engine): TidingsError =>
  new TidingsError(
    "TIDINGS_SCHEMA_TOO_NEW",
    `The topic "${journalTopic}" on ${name} at ${address} was written by a newer version of tidings: bring this member to that version.`,
    { details: { engine: name } },
  );
