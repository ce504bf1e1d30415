import type { TidingsError } from "../../errors/tidings-error.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { TimerWrite } from "../../ports/transaction.ts";
import type { Committer } from "../commit/committer.ts";
import type { Progress } from "../commit/progress.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { Delivery } from "../lanes/delivery.ts";
import type { Lanes } from "../lanes/lanes.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { idConflictOf, type Inbox } from "./inbox.ts";
import type { RelayMarks } from "../commit/relay-marks.ts";

/** What sends the events of a partition on their way. */
export interface IngestOptions {
  readonly runtime: SubscriptionRuntime;
  readonly progress: Progress;
  /** What relays have sent. */
  readonly marks: RelayMarks;
  readonly committer: Committer;
  readonly held: HeldKeys;
  readonly lanes: Lanes;
  readonly inbox: Inbox | undefined;
  /** Something is on its way, and nothing was before. */
  readonly onBusy: () => void;
}

/** Sends what was fetched on its way: to its lane, behind its held key, or past. Counts what is on the way. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #runtime: SubscriptionRuntime;
  #events = 0;
  #bytes = 0;
  #closed = false;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /** Fetched and not settled. */
  events(): number {
    return this.#events;
  }

  bytes(): number {
    return this.#bytes;
  }

  /** Whether as much is on the way as may be. */
  isFull(): boolean {
    const { events, bytes } = this.#runtime.prefetch;
    return this.#events >= events || this.#bytes >= bytes;
  }

  /** The event of this record is on its way no more. */
  settled(record: StoredRecord): void {
    this.#events -= 1;
    this.#bytes -= weightOf(record);
  }

  /** Sends nothing on its way any more: it could be committed behind the end of the partition. */
  close(): void {
    this.#closed = true;
  }

  /** Sends a page on its way. A Promise only where something must be written or read first. */
  page(records: readonly StoredRecord[]): Promise<void> | undefined {
    const { inbox, lanes } = this.#options;
    if (inbox) return this.#allOnce(records, inbox);
    for (const record of records) {
      const delivery = this.take(record);
      if (delivery) lanes.enqueue(delivery);
    }
    return undefined;
  }

  /**
   * The delivery of an event that is to be run, not in its lane yet; undefined when nothing is to be run now. `commitError`: what
   * it is to fail with instead of running.
   */
  take(record: StoredRecord, identity?: TimerWrite, commitError?: TidingsError): Delivery | undefined {
    const { progress, marks, held, lanes } = this.#options;
    const isRepeat = marks.isRepeat(record);
    if (!progress.fetched(record.position)) return undefined;
    if (isRepeat) return this.#drop(record);
    const route = this.#runtime.routes.get(record.type);
    if (!route) return this.#pass(record, "filtered");
    const expiry = record.attributes?.["expirytime"];
    if (expiry !== undefined && Date.parse(expiry) <= this.#runtime.platform.clock.now())
      return this.#pass(record, "expired");
    if (this.#events === 0) this.#options.onBusy();
    this.#events += 1;
    this.#bytes += weightOf(record);
    const entry = record.key === null ? undefined : held.blocks(record.key);
    // Behind an earlier one that is under way it waits in the lane, and is held after that.
    if (entry && lanes.find(record.key)?.idle !== false) {
      held.append(entry, { record, identity, commitError });
      return undefined;
    }
    const delivery = lanes.make(record, route);
    delivery.identity = identity;
    delivery.commitError = commitError;
    return delivery;
  }

  /** It was there before: it is no event of its own. */
  #drop(record: StoredRecord): undefined {
    this.#runtime.metrics.duplicates.add();
    return this.#pass(record, "filtered");
  }

  #pass(record: StoredRecord, as: "filtered" | "expired"): undefined {
    this.#runtime.metrics[as].add();
    this.#options.committer.pass(record.position, as);
    return undefined;
  }

  async #allOnce(records: readonly StoredRecord[], inbox: Inbox): Promise<void> {
    for (const record of records) {
      if (this.#closed) return;
      const delivery = await this.#takeOnce(record, inbox);
      if (delivery) this.#options.lanes.enqueue(delivery);
    }
  }

  /** As `take`, but what the inbox knows of is no event of its own. */
  takeOnce(record: StoredRecord): Promise<Delivery | undefined> | Delivery | undefined {
    const { inbox } = this.#options;
    return inbox ? this.#takeOnce(record, inbox) : this.take(record);
  }

  async #takeOnce(record: StoredRecord, inbox: Inbox): Promise<Delivery | undefined> {
    const { progress, marks } = this.#options;
    const route = this.#runtime.routes.get(record.type);
    const seen = route ? await inbox.seen(record) : "new";
    if (this.#closed) return undefined;
    if (seen === "duplicate") {
      marks.isRepeat(record);
      return progress.fetched(record.position) ? this.#drop(record) : undefined;
    }
    if (seen === "id-conflict") return this.take(record, undefined, idConflictOf(record, this.#runtime.name));
    return this.take(record, route ? inbox.remember(record) : undefined);
  }
}

/** About what a record takes in memory: exact sizes in UTF-8 cost more than they are worth here. */
function weightOf({ data }: StoredRecord): number {
  return (data?.length ?? 0) + 256;
}
