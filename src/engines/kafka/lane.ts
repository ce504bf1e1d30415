import type { CancelTimer, Clock } from "../../platform/clock.ts";
import { unknownOutcome } from "../broker/rejections.ts";
import { batchOf, bytesInBatch, type Crc32c, type Identity } from "./batch.ts";
import type { Compression } from "./compression.ts";
import type { Item } from "./item.ts";
import type { KnownTopic } from "./catalog.ts";
import { describeFailure, failureKind, Refusal, toTidingsError } from "./failure.ts";
import { Repeats } from "./repeats.ts";
import { batchOverhead } from "./wire.ts";

/** What lanes share. */
export interface LaneHost {
  readonly clock: Clock;
  readonly crc32c: Crc32c;
  readonly compression: Compression | undefined;
  readonly address: string;
  /** How long ids of callers are remembered that were written after all, in milliseconds. */
  readonly repeatsMs: number;
  /** Largest batch that is made, where the topic takes larger ones. */
  readonly batchBytesMax: number;
  /** Who writes; another one than before when `fresh`. */
  identity(fresh: boolean): Promise<Omit<Identity, "sequence">>;
  /** The lane has something to send. */
  ready(lane: Lane): void;
  /** The leader may be another one. */
  lookForLeader(): void;
  /** Events of this topic are there. */
  stored(topic: KnownTopic, partition: number, position: number): void;
}

/** A batch on its way. */
interface Flight {
  readonly items: readonly Item[];
  readonly batch: Buffer;
  flying: boolean;
  /** Whether an earlier sending may have been written, so that a refusal does not tell that nothing is there. */
  isDoubtful: boolean;
}

const pauseMsMin = 20;
const pauseMsMax = 1000;
const eventsMax = 10_000;
/** Errors of brokers that did not look at the batch: it is no leader, does not know the topic, or has too few followers. */
const notWritten: ReadonlySet<number> = new Set([3, 5, 6, 19, 74, 75, 100]);

/**
 * The events of one partition on their way, in the order of the calls. One batch is on its way at a time, with everything
 * that waits for it in the next one: so none can overtake another one. A batch of which the answer did not come is sent
 * again as it was, with the same number; the leader knows by it what is there already and where, and what is unknown holds
 * all later ones.
 */
export class Lane {
  readonly topic: KnownTopic;
  readonly partition: number;
  readonly #host: LaneHost;
  readonly #repeats: Repeats;
  #queue: Item[] = [];
  #head = 0;
  #flight: Flight | undefined;
  #identity: Identity | undefined;
  #asking = false;
  #paused: CancelTimer | undefined;
  #pauseMs = pauseMsMin;
  #bytesMax: number;
  #stopped = false;
  /** Since when the leader refuses what is on its way, and why. */
  #stuck: { readonly sinceMs: number; readonly why: string } | undefined;

  constructor(topic: KnownTopic, partition: number, host: LaneHost) {
    this.topic = topic;
    this.partition = partition;
    this.#host = host;
    this.#repeats = new Repeats(host.clock, host.repeatsMs);
    this.#bytesMax = Math.min(topic.batchBytesMax, host.batchBytesMax);
  }

  /** The broker to send to; -1 when none is known. */
  get leader(): number {
    return this.topic.leaders[this.partition] ?? -1;
  }

  get idle(): boolean {
    return !this.#flight && this.#head >= this.#queue.length;
  }

  push(item: Item): void {
    if (this.#repeats.takes(item)) return;
    this.#queue.push(item);
    this.#host.ready(this);
  }

  /** The batch to send now; undefined when there is none. */
  next(): Buffer | undefined {
    if (this.#stopped || this.#paused || this.#asking || this.#flight?.flying) return undefined;
    if (this.topic.gone) return this.#abandon(this.topic.gone);
    if (this.leader < 0) return this.#pause();
    this.#flight ??= this.#compose();
    const flight = this.#flight;
    if (!flight) return undefined;
    flight.flying = true;
    for (const { call } of flight.items) call.sent = true;
    return flight.batch;
  }

  /** The broker's answer to what `next` gave: where the first event stands, or a number of an error. */
  answered(error: number, base: number): void {
    const flight = this.#flight as Flight;
    flight.flying = false;
    if (error === 0 && base >= 0) this.#land(flight, base);
    else this.#refused(flight, new Refusal(error, `topic "${this.topic.name}", partition ${this.partition}`));
    if (!this.idle) this.#host.ready(this);
  }

  /** The answer did not come: it may be there. */
  lost(): void {
    if (this.#flight) {
      this.#flight.flying = false;
      this.#flight.isDoubtful = true;
    }
    this.#pause();
  }

  /** The leader cannot be reached; nothing was sent. */
  waits(): void {
    this.#pause();
  }

  /** It may go on: the way is there again. */
  resume(): void {
    this.#paused?.();
    this.#paused = undefined;
    this.#pauseMs = pauseMsMin;
    if (!this.idle) this.#host.ready(this);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#stopped = true;
    this.#paused?.();
    this.#paused = undefined;
  }

  /** Why the leader has taken nothing for so long; undefined when it takes what comes. */
  stuckFor(ms: number): string | undefined {
    if (!this.#stuck || this.#host.clock.monotonic() - this.#stuck.sinceMs < ms) return undefined;
    return this.#stuck.why;
  }

  /** Drops what was given up before it was sent. */
  sweep(): void {
    if (!this.#queue[this.#head]?.call.over) return;
    const waiting = this.#queue.slice(this.#head);
    this.#queue = waiting.filter(({ call }) => !call.over);
    this.#head = 0;
    for (const item of waiting) if (item.call.over) this.#drop(item);
  }

  #drop(item: Item): void {
    item.call.dropped();
    for (const follower of this.#repeats.ended(item)) this.push(follower);
  }

  #fail(item: Item, error: Error): void {
    item.call.failed(error);
    for (const follower of this.#repeats.ended(item)) this.push(follower);
  }

  /** Takes as much as goes into a batch. */
  #compose(): Flight | undefined {
    const identity = this.#identity;
    if (!identity) return this.#identify(false);
    const items: Item[] = [];
    let bytes = batchOverhead;
    while (this.#head < this.#queue.length && items.length < eventsMax) {
      const item = this.#queue[this.#head] as Item;
      if (item.call.over) {
        this.#head++;
        this.#drop(item);
        continue;
      }
      bytes += bytesInBatch(item.draft);
      if (items.length > 0 && bytes > this.#bytesMax) break;
      items.push(item);
      this.#head++;
    }
    if (this.#head === this.#queue.length || (this.#head > 1024 && this.#head * 2 > this.#queue.length)) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (items.length === 0) return undefined;
    const drafts = items.map(({ draft }) => draft);
    const { clock, crc32c, compression } = this.#host;
    return {
      items,
      batch: batchOf(drafts, identity, clock.now(), crc32c, compression),
      flying: false,
      isDoubtful: false,
    };
  }

  #land({ items }: Flight, base: number): void {
    this.#flight = undefined;
    this.#stuck = undefined;
    this.#pauseMs = pauseMsMin;
    const identity = this.#identity as Identity;
    identity.sequence = sequenceAfter(identity.sequence, items.length);
    for (const [index, item] of items.entries()) {
      const wasAnswered = item.call.settled;
      item.call.stored(item.index, base + index);
      this.#repeats.landed(item, base + index, wasAnswered);
    }
    this.#host.stored(this.topic, this.partition, base + items.length - 1);
  }

  #refused(flight: Flight, error: Refusal): undefined {
    const { address } = this.#host;
    const kind = failureKind(error);
    if (kind === "away" || kind === "absent") {
      if (!notWritten.has(error.number)) flight.isDoubtful = true;
      this.#stuck ??= { sinceMs: this.#host.clock.monotonic(), why: error.message };
      return this.#pause();
    }
    this.#flight = undefined;
    this.#stuck = undefined;
    if (kind === "large" && flight.items.length > 1) {
      // The topic takes less than it did when it was looked at. The broker looks at that first, so nothing is there.
      this.#bytesMax = Math.max(1, flight.batch.length >> 1);
      this.#again(flight);
      return undefined;
    }
    if (kind === "identity") {
      // The leader does not know us any more, so that it cannot tell what it has of us.
      this.#identify(true);
      if (!flight.isDoubtful) {
        this.#again(flight);
        return undefined;
      }
    }
    const reason = flight.isDoubtful ? unknownOutcome(address, describeFailure(error)) : toTidingsError(error, address);
    for (const item of flight.items) this.#fail(item, reason);
    return undefined;
  }

  /** Puts what is not there back before all that waits. */
  #again({ items }: Flight): void {
    this.#queue = [...items, ...this.#queue.slice(this.#head)];
    this.#head = 0;
  }

  #abandon(error: Error): undefined {
    const items = [...(this.#flight?.items ?? []), ...this.#queue.slice(this.#head)];
    this.#flight = undefined;
    this.#queue = [];
    this.#head = 0;
    for (const item of items) this.#fail(item, error);
    return undefined;
  }

  #identify(fresh: boolean): undefined {
    this.#identity = undefined;
    this.#asking = true;
    this.#host.identity(fresh).then(
      (identity) => {
        this.#asking = false;
        this.#identity = { ...identity, sequence: 0 };
        this.#host.ready(this);
      },
      (error: unknown) => {
        this.#asking = false;
        // A user who lost its right may write to nothing.
        if (failureKind(error) === "denied" || (error as { code?: string }).code === "TIDINGS_ACCESS_DENIED")
          this.#abandon(toTidingsError(error, this.#host.address));
        else this.#pause();
      },
    );
    return undefined;
  }

  #pause(): undefined {
    if (this.#paused || this.#stopped) return undefined;
    this.#host.lookForLeader();
    this.#paused = this.#host.clock.after(this.#pauseMs, () => {
      this.#paused = undefined;
      if (!this.idle) this.#host.ready(this);
    });
    this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
    return undefined;
  }
}

/** Numbers of events begin at 0 again behind the largest one. */
export function sequenceAfter(sequence: number, count: number): number {
  const largest = 0x7fff_ffff;
  return sequence > largest - count ? count - (largest - sequence) - 1 : sequence + count;
}
