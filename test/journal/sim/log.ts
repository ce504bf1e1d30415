// A log as a broker would keep one, and the brokers through which the members of a simulation reach it, with all that goes wrong on
// the way.
import type { CallbackOwner, Scheduler } from "../../../src/testing/sim/scheduler.ts";
import type { Dice } from "../../../src/testing/sim/dice.ts";
import { epochMs } from "../../../src/testing/sim/node-clock.ts";
import { memoryCapabilities } from "../../../src/engines/memory/capabilities.ts";
import { TidingsError } from "../../../src/errors/tidings-error.ts";
import { type EventRecord, recordBytes, type StoredRecord } from "../../../src/event/record.ts";
import type { Engine } from "../../../src/ports/engine.ts";
import type { ReadPage, TopicEntry, Topics, TopicSpec } from "../../../src/ports/topics.ts";

/** How a log is, and how often what goes wrong. */
export interface LogKind {
  /** It keeps so many bytes and removes what lies before them by itself; without, it removes what it is told to. */
  readonly bytesKept: number | undefined;
  readonly appendTimes: "engine" | "publisher";
  /** Shares of the publishes. */
  readonly refused: number;
  readonly unknown: number;
  readonly late: number;
  readonly twice: number;
  /** Share of the reads. */
  readonly readFails: number;
  /** Of each way, at most, in milliseconds. */
  readonly wayMs: number;
}

const unreachable = (): TidingsError => new TidingsError("TIDINGS_UNREACHABLE", "The log cannot be reached.");
const unknown = (): TidingsError => new TidingsError("TIDINGS_OUTCOME_UNKNOWN", "The answer was lost.");

export class SimulatedLog {
  /** All that ever was there. */
  readonly all: StoredRecord[] = [];
  /** What lies before is gone. */
  first = 0;
  /** Nobody is answered. */
  away = false;
  /** Nothing goes wrong any more. */
  healed = false;
  readonly kind: LogKind;
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #sizes: number[] = [];
  readonly #listeners = new Set<() => void>();
  #spec: TopicSpec | undefined;

  constructor(kind: LogKind, scheduler: Scheduler, dice: Dice) {
    this.kind = kind;
    this.#scheduler = scheduler;
    this.#dice = dice;
  }

  get next(): number {
    return this.all.length;
  }

  #append({ topic, partition, record }: TopicEntry): number {
    const appendedAtMs =
      this.kind.appendTimes === "engine" ? Math.floor(epochMs + this.#scheduler.nowMs) : record.timeMs;
    this.all.push(this.#stored(record, topic, partition, appendedAtMs));
    // What an engine writes beside an event.
    this.#sizes.push(recordBytes(record) + this.#dice.whole(0, 1024));
    if (this.kind.bytesKept !== undefined && this.#dice.chance(0.2)) this.#bound(this.kind.bytesKept);
    for (const tell of this.#listeners) tell();
    return this.next - 1;
  }

  #stored(record: EventRecord, topic: string, partition: number, appendedAtMs: number): StoredRecord {
    return { ...record, topic, partition, position: this.next, appendedAtMs };
  }

  #bound(bytesKept: number): void {
    let at = this.next;
    for (let kept = 0; at > this.first && kept < bytesKept; at--) kept += this.#sizes[at - 1] as number;
    this.first = at;
  }

  #read(position: number, most: number): ReadPage {
    const from = Math.max(position, this.first);
    const records = this.all.slice(from, from + this.#dice.whole(1, Math.max(1, most)));
    const next = from + records.length;
    return {
      records,
      next: records.length > 0 ? next : from,
      lost: Math.max(0, this.first - position),
      end: next === this.next && this.#dice.chance(0.7),
    };
  }

  /** The log as a member reaches it, who can be stopped, and can die with all that it has sent. */
  broker(owner: CallbackOwner, isDead: () => boolean): Engine {
    const scheduler = this.#scheduler;
    const dice = this.#dice;
    const way = (): number => (dice.chance(0.02) ? dice.between(0, 3000) : dice.between(0, this.kind.wayMs));
    const sleep = (ms: number, of?: CallbackOwner): Promise<void> =>
      new Promise((resolve) => scheduler.at(scheduler.nowMs + ms, resolve, of));
    const fails = (share: number): boolean => !this.healed && dice.chance(share);
    /** There and back; whoever dies meanwhile is not answered, and may have been heard. */
    const call = async <Result>(work: () => Result): Promise<Result> => {
      await sleep(way());
      if (this.away || fails(this.kind.readFails)) {
        await sleep(this.away ? 2000 : way(), owner);
        throw unreachable();
      }
      const result = work();
      await sleep(way(), owner);
      return result;
    };
    let turn: Promise<unknown> = Promise.resolve();
    const publish = async (
      entries: readonly TopicEntry[],
    ): Promise<readonly { position: number; duplicate: boolean }[]> => {
      const before = turn;
      const sent = Promise.withResolvers<void>();
      turn = sent.promise;
      await before;
      await sleep(way());
      const { refused, unknown: lost, late, twice } = this.kind;
      if (isDead() && dice.chance(0.5)) return (sent.resolve(), new Promise(() => undefined));
      if (this.away || fails(refused)) {
        sent.resolve();
        await sleep(this.away ? 2000 : way(), owner);
        throw unreachable();
      }
      // Of several some may be there and some not.
      const part = fails(lost) ? dice.whole(0, entries.length) : entries.length;
      if (fails(late)) {
        scheduler.at(scheduler.nowMs + dice.spread(1, 30_000), () => void entries.map((entry) => this.#append(entry)));
        sent.resolve();
        await sleep(way(), owner);
        throw unknown();
      }
      const appended = entries.slice(0, part).map((entry) => ({ position: this.#append(entry), duplicate: false }));
      if (fails(twice))
        scheduler.at(scheduler.nowMs + dice.spread(0.1, 30_000), () => void entries.slice(0, part).map((entry) => this.#append(entry))); // prettier-ignore
      sent.resolve();
      await sleep(way(), owner);
      if (part < entries.length || fails(lost)) throw unknown();
      return appended;
    };
    const topics: Topics = {
      declare: ([spec]) => call(() => void (this.#spec ??= { ...(spec as TopicSpec), ...(this.kind.bytesKept === undefined ? {} : { bytesKept: this.kind.bytesKept }) })), // prettier-ignore
      list: () => call(() => (this.#spec ? [this.#spec] : [])),
      find: () => call(() => this.#spec),
      publish,
      read: (_topic, _partition, position, { events }) => call(() => this.#read(position, events)),
      bounds: () => call(() => [{ first: this.first, next: this.next }]),
      positionsAt: () => Promise.reject(new Error("Nobody asks for it.")),
      retain: (_topic, { floor: [floor = this.next] = [] }) =>
        call(() => this.#retain(dice.chance(0.7) ? floor : dice.whole(this.first, floor))),
      watch: (_topic, listener) => {
        const tell = (): void => {
          if (!this.away && dice.chance(0.9)) scheduler.at(scheduler.nowMs + way(), listener, owner);
        };
        this.#listeners.add(tell);
        return () => void this.#listeners.delete(tell);
      },
    };
    return {
      name: "simulated",
      address: "nowhere",
      capabilities: {
        ...memoryCapabilities,
        transactions: false,
        atomicPublish: false,
        appendTimes: this.kind.appendTimes,
        retentionByAge: this.kind.bytesKept === undefined,
        boundedTopics: this.kind.bytesKept !== undefined,
        // So that snapshots come in parts.
        eventBytesMax: 16 * 1024,
      },
      topics,
      info: () => Promise.resolve({}),
      verify: () => Promise.resolve({ recordsChecked: 0, problems: [] }),
      trouble: () => undefined,
      close: () => Promise.resolve(),
    };
  }

  #retain(first: number): number {
    const removed = Math.max(0, first - this.first);
    this.first += removed;
    return removed;
  }
}
