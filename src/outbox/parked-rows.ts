import { isTidingsError, TidingsError } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import { stamped } from "../event/relay-stamp.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { State } from "../ports/state.ts";
import type { TopicEntry } from "../ports/topics.ts";
import type { DocumentWrite } from "../ports/transaction.ts";
import {
  outboxCollections,
  parkedKey,
  parkedPrefix,
  type ParkedRow,
  type RelayPosition,
  retryStreamOf,
} from "./documents.ts";
import type { RelayLog } from "./outbox-options.ts";
import { parkedRecordOf, recordOfParked } from "./parked-record.ts";
import type { RelayProgress } from "./relay-progress.ts";

/** An event with the position of its row in the outbox. */
export interface OutboxRow {
  readonly entry: TopicEntry;
  readonly position: number;
}

/** What the parked rows of a partition of an outbox work with. */
export interface ParkedRowsOptions {
  readonly store: Engine;
  readonly storeId: string;
  readonly partition: number;
  readonly progress: RelayProgress;
  readonly platform: Platform;
  readonly log: RelayLog;
}

/** How often to look for what operators have asked for when no hint comes, in milliseconds. */
const lookEveryMs = 2000;

/** Sends events to the broker. */
export type Send = (entries: readonly TopicEntry[]) => Promise<void>;

/**
 * The rows that the broker refuses for good, because their topic is gone or they are too large for it. Each waits in the store
 * until an operator has it sent again or discards it, and the later rows of its key wait behind it; all others go on.
 */
export class ParkedRows {
  readonly #options: ParkedRowsOptions;
  readonly #state: State;
  /** Positions of the parked rows, by topic and key of their events. */
  readonly #rows = new Map<string, Set<number>>();
  /** An operator may have asked for something. */
  #changed = true;
  /** When to look without a hint: hints may be lost. */
  #lookAtMs = 0;

  constructor(options: ParkedRowsOptions) {
    this.#options = options;
    this.#state = options.store.state as State;
  }

  /** Reads which rows are parked. Rejects when the store cannot be read. */
  async load(): Promise<void> {
    const stored = await this.#stored();
    this.#rows.clear();
    for (const row of stored) this.#note(nameOf(row.topic, row.record.key, row.position), row.position);
  }

  /** How many rows are parked. */
  size(): number {
    let rows = 0;
    for (const positions of this.#rows.values()) rows += positions.size;
    return rows;
  }

  /** Calls the listener when an operator may have asked for something. */
  watch(listener: () => void): () => void {
    return this.#state.watch(outboxCollections.parked, () => {
      this.#changed = true;
      if (this.#rows.size > 0) listener();
    });
  }

  /** Whether an event has to wait behind an earlier one of its key. */
  holds({ topic, record }: TopicEntry): boolean {
    return this.#rows.size > 0 && record.key !== null && this.#rows.has(nameOf(topic, record.key, 0));
  }

  /** Puts a row aside that the broker refuses; everything before it is sent. Rejects when the store fails. */
  async park(row: OutboxRow, refusal: unknown): Promise<void> {
    const { partition, log } = this.#options;
    const { topic, record } = row.entry;
    const refused = refusalOf(refusal);
    await this.#write([this.#documentOf({ ...this.#parkedOf(row), refused })], { next: row.position + 1 });
    this.#note(nameOf(topic, record.key, row.position), row.position);
    log.error(
      { outbox: partition, position: row.position, topic, event: record.id, key: record.key, err: refusal },
      "the broker refuses an event for good; it waits in the outbox, and its key behind it",
    );
  }

  /** Puts rows aside that wait behind earlier ones of their keys. Rejects when the store fails. */
  async followers(rows: readonly OutboxRow[]): Promise<void> {
    const fresh = rows.filter(({ entry, position }) => {
      const name = nameOf(entry.topic, entry.record.key, position);
      return this.#rows.get(name)?.has(position) === false;
    });
    if (fresh.length === 0) return;
    await this.#write(fresh.map((row) => this.#documentOf(this.#parkedOf(row))));
    for (const { entry, position } of fresh) this.#note(nameOf(entry.topic, entry.record.key, position), position);
  }

  /** Does what operators have asked for. Rejects with what the broker or the store is in trouble with; then it is to be called again. */
  async perform(send: Send): Promise<void> {
    const { clock } = this.#options.platform;
    if (this.#rows.size === 0 || (!this.#changed && clock.monotonic() < this.#lookAtMs)) return;
    this.#changed = false;
    this.#lookAtMs = clock.monotonic() + lookEveryMs;
    try {
      const groups = Map.groupBy(await this.#stored(), (row) => nameOf(row.topic, row.record.key, row.position));
      // Who has a number goes first: under a later one it would be taken for a repeat.
      for (const [name, rows] of [...groups].sort(([, a], [, b]) => numberOf(a) - numberOf(b)))
        await this.#performGroup(name, rows, send);
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  /** All parked rows of one key, in order: from the first on as far as they go. */
  async #performGroup(name: string, rows: readonly ParkedRow[], send: Send): Promise<void> {
    for (const row of rows) {
      // Its page comes once more, and must find it here.
      if (row.position >= this.#options.progress.next) {
        this.#changed = true;
        return;
      }
      if (row.asked?.what === "discard") await this.#remove(name, row);
      // What is refused itself is sent again when somebody asks for it, what only waits when nothing is before it any more.
      else if (row.refused && row.asked?.what !== "retry") return;
      else if (!(await this.#sendAgain(name, row, send))) return;
    }
  }

  async #sendAgain(name: string, row: ParkedRow, send: Send): Promise<boolean> {
    const numbered = row.retry === undefined ? await this.#number(row) : row;
    const stamp = {
      stream: retryStreamOf(this.#options.storeId, row.partition),
      sequence: numbered.retry as number,
    };
    const record = stamped(recordOfParked(row.record), stamp);
    const { topic, targetPartition: partition, checkId } = row;
    try {
      await send([{ topic, partition, record, ...(checkId ? { checkId } : {}) }]);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Others are sent before it is tried again, under higher numbers.
      const { asked: _, retry: __, ...rest } = numbered;
      await this.#write([this.#documentOf({ ...rest, refused: refusalOf(error) })]);
      return false;
    }
    await this.#remove(name, row);
    return true;
  }

  /** Gives it its number before it is sent: should this process die, it is sent again under the same. */
  async #number(row: ParkedRow): Promise<ParkedRow> {
    const numbered = { ...row, retry: this.#options.progress.retries };
    const { next } = this.#options.progress;
    await this.#write([this.#documentOf(numbered)], { next, retries: numbered.retry + 1 });
    return numbered;
  }

  async #remove(name: string, row: ParkedRow): Promise<void> {
    const key = parkedKey(row.partition, row.position);
    // Its page must not come once more.
    const { next } = this.#options.progress;
    await this.#write([{ collection: outboxCollections.parked, key, value: null }], { next });
    const positions = this.#rows.get(name);
    positions?.delete(row.position);
    if (positions?.size === 0) this.#rows.delete(name);
  }

  /** Rejects also when another member has taken over: a number that is not written may be given to another row. */
  async #write(documents: readonly DocumentWrite[], changes?: Partial<RelayPosition>): Promise<void> {
    const { progress, partition } = this.#options;
    if (await progress.commit(documents, changes)) return;
    throw new TidingsError("TIDINGS_FENCED", `Another member has taken over partition ${partition} of the outbox.`);
  }

  async #stored(): Promise<readonly ParkedRow[]> {
    const prefix = parkedPrefix(this.#options.partition);
    const documents = await this.#state.scan(outboxCollections.parked, { prefix, limit: Number.MAX_SAFE_INTEGER });
    return documents.map(({ value }) => JSON.parse(value) as ParkedRow);
  }

  #parkedOf({ entry, position }: OutboxRow): ParkedRow {
    const { topic, partition: targetPartition, record, checkId = false } = entry;
    const { partition, platform } = this.#options;
    const parkedAtMs = platform.clock.now();
    return { partition, position, topic, targetPartition, record: parkedRecordOf(record), checkId, parkedAtMs };
  }

  #documentOf(row: ParkedRow): DocumentWrite {
    const { partition, position } = row;
    return { collection: outboxCollections.parked, key: parkedKey(partition, position), value: JSON.stringify(row) };
  }

  #note(name: string, position: number): void {
    const positions = this.#rows.get(name);
    if (positions) positions.add(position);
    else this.#rows.set(name, new Set([position]));
  }
}

/** Whether the broker will never take an event as it is: waiting does not help, and others can go on. */
export function isRefusal(error: unknown): boolean {
  return isTidingsError(error) && refusals.has(error.code);
}

const refusals: ReadonlySet<string> = new Set([
  "TIDINGS_NOT_FOUND",
  "TIDINGS_EVENT_TOO_LARGE",
  "TIDINGS_ID_CONFLICT",
  "TIDINGS_INVALID_OPTION",
  "TIDINGS_INVALID_ARGUMENT",
  "TIDINGS_INVALID_NAME",
  "TIDINGS_UNSUPPORTED",
]);

function refusalOf(error: unknown): { code: string; message: string } {
  return { code: isTidingsError(error) ? error.code : "UNKNOWN", message: messageOf(error) };
}

/** The number under which one of them is sent already; the highest of all when none is. */
function numberOf(rows: readonly ParkedRow[]): number {
  return rows.find(({ retry }) => retry !== undefined)?.retry ?? Number.MAX_SAFE_INTEGER;
}

/** Events without a key wait for nobody, so that each is by itself. */
function nameOf(topic: string, key: string | null, position: number): string {
  return key === null ? `${topic}\u0000\u0000${position}` : `${topic}\u0000${key}`;
}
