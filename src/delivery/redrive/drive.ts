import { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Leases } from "../../ports/leases.ts";
import type { State } from "../../ports/state.ts";
import type { DocumentWrite, Fence } from "../../ports/transaction.ts";
import { type Answer, collections, type Intent, type Refused } from "../records.ts";
import { abortReason, batchSize, chooseBatch } from "./batch.ts";
import {
  type AskedBatch,
  endWrites,
  itemStatus,
  redriveIntentId,
  type RedriveCounts,
  type RedriveDocument,
  remaining,
  underWay,
} from "./documents.ts";
import { type RedriveItem, RedriveItems } from "./items.ts";
import { readOutcomes } from "./outcomes.ts";

/** What driving an operation works with. */
export interface DriveOptions {
  readonly engine: Engine;
  readonly platform: Platform;
  /** The driver's lease: whoever has lost it changes nothing any more. */
  readonly fence: () => Fence;
}

/** What has changed in one step, before it is committed. */
interface Step {
  counts: RedriveCounts;
  asked: readonly AskedBatch[];
  skipped: readonly Refused[];
  /** Intents and answers. */
  readonly writes: DocumentWrite[];
  changed: boolean;
}

/** How many of those that were skipped are told one by one. */
const skipsMax = 20;
/** By whom an operation is ended that ends by itself. */
const driverName = "tidings";
/** How long an owner that could not answer is left alone, in milliseconds. */
const againMs = 1000;

/**
 * Drives one redrive operation, step by step. Everything that it knows stands in the store after each step, and asking
 * an owner twice does nothing the second time: whoever drives it can be killed at any moment, and another one goes on.
 */
export class RedriveDrive {
  readonly id: string;
  readonly #options: DriveOptions;
  readonly #state: State;
  #document: RedriveDocument | undefined;
  #version = 0;
  #items: RedriveItems | undefined;
  /** Monotonic time before which no batch begins. */
  #notBefore: number;
  #batchAt: number;

  constructor(id: string, options: DriveOptions) {
    this.id = id;
    this.#options = options;
    this.#state = options.engine.state as State;
    const now = options.platform.clock.monotonic();
    this.#batchAt = now;
    // The driver before may have begun a batch just now.
    this.#notBefore = now;
  }

  /** Goes on as far as it can now. Resolves with whether anything has changed; undefined when the operation is over. */
  async step(): Promise<boolean | undefined> {
    if (!(await this.#read())) return undefined;
    const document = this.#document as RedriveDocument;
    const step: Step = { counts: document.counts, asked: document.asked, skipped: [], writes: [], changed: false };
    await this.#collectAnswers(step);
    await this.#collectOutcomes(step);
    if (step.changed) await this.#commit((stored) => settled(stored, step), step.writes);
    if (await this.#stopByRule()) return true;
    if (isOver(this.#document as RedriveDocument)) {
      return (await this.#end()) ? undefined : true;
    }
    return (await this.#ask()) || step.changed;
  }

  /** Reads what operators may have changed; false when the operation is gone. */
  async #read(): Promise<boolean> {
    const [stored] = await this.#state.get(collections.redrives, [this.id]);
    if (!stored) return false;
    const first = this.#items === undefined;
    this.#items ??= await RedriveItems.load(this.#state, this.id);
    this.#document = JSON.parse(stored.value) as RedriveDocument;
    this.#version = stored.version;
    const { perSecond } = this.#document.pace;
    if (first && perSecond !== undefined) this.#notBefore += Math.max(1000, 1000 / perSecond);
    return true;
  }

  /** Notes what the owners of partitions have done of what they were asked. */
  async #collectAnswers(step: Step): Promise<void> {
    const { asked, subscriptions } = this.#document as RedriveDocument;
    if (asked.length === 0) return;
    const found = await this.#state.get(
      collections.answers,
      asked.map(({ intent }) => intent),
    );
    const open: AskedBatch[] = [];
    const all = (this.#items as RedriveItems).with(itemStatus.asked);
    for (const [i, part] of asked.entries()) {
      const document = found[i];
      if (!document) {
        open.push(part);
        continue;
      }
      const items = all.filter(
        ({ subscription, partition }) => subscription === part.subscription && partition === part.partition,
      );
      this.#note(step, items, JSON.parse(document.value) as Answer);
      const [name] = subscriptions[part.subscription] as readonly [string, string];
      step.writes.push(
        { collection: collections.answers, key: part.intent, value: null },
        { collection: collections.intents, key: `${name}/${part.intent}`, value: null },
      );
    }
    if (open.length === asked.length) return;
    step.asked = open;
    step.changed = true;
  }

  #note(step: Step, items: readonly RedriveItem[], answer: Answer): void {
    const book = this.#items as RedriveItems;
    if (!answer.ok) {
      // Nothing is known of what it did; asking once more finds out, and does nothing twice.
      this.#notBefore = this.#options.platform.clock.monotonic() + againMs;
      for (const item of items) book.set(item, itemStatus.waiting);
      return;
    }
    const refused = new Map(answer.refused?.map((refusal) => [refusal.id, refusal]));
    const skipped: Refused[] = [];
    let moved = 0;
    for (const item of items) {
      const refusal = refused.get(item.id);
      if (!refusal) {
        moved += 1;
        book.set(item, itemStatus.moved);
      } else if (refusal.code === "TIDINGS_REDRIVE_STATE") book.set(item, itemStatus.waiting);
      else {
        skipped.push(refusal);
        book.set(item, itemStatus.skipped);
      }
    }
    const { counts } = step;
    step.counts = { ...counts, moved: counts.moved + moved, skipped: counts.skipped + skipped.length };
    step.skipped = [...step.skipped, ...skipped];
  }

  /** Notes what has become of those that were sent back. */
  async #collectOutcomes(step: Step): Promise<void> {
    const book = this.#items as RedriveItems;
    const { subscriptions } = this.#document as RedriveDocument;
    const moved = book.with(itemStatus.moved);
    for (const [number, [name]] of subscriptions.entries()) {
      const items = moved.filter(({ subscription }) => subscription === number);
      if (items.length === 0) continue;
      const counts = { ...step.counts };
      for (const [item, status] of await readOutcomes(this.#state, this.id, name, items)) {
        book.set(item, status);
        if (status === itemStatus.succeeded) counts.succeeded += 1;
        else if (status === itemStatus.failedAgain) counts.failedAgain += 1;
        else counts.setAside += 1;
        step.changed = true;
      }
      step.counts = counts;
    }
  }

  async #stopByRule(): Promise<boolean> {
    const reason = abortReason(this.#document as RedriveDocument);
    if (reason === undefined) return false;
    let stopped = false;
    await this.#commit((stored) => {
      stopped = stored.state === "running" || stored.state === "paused";
      const entry = { atMs: this.#options.platform.clock.now(), what: "aborted", by: driverName, reason } as const;
      return stopped ? { ...stored, state: "aborted", log: [...stored.log, entry] } : undefined;
    });
    return stopped;
  }

  /** Asks the owners for the next batch; whether it did. */
  async #ask(): Promise<boolean> {
    const document = this.#document as RedriveDocument;
    const { clock } = this.#options.platform;
    if (document.state !== "running" || clock.monotonic() < this.#notBefore) return false;
    const size = batchSize(document, { waitedMs: clock.monotonic() - this.#batchAt });
    if (size === 0) return false;
    const book = this.#items as RedriveItems;
    const ports = { state: this.#state, leases: this.#options.engine.leases as Leases };
    const { items, homeless, waitingFor } = await chooseBatch(ports, document, book, size, clock.now());
    if (homeless.length > 0) return this.#skipHomeless(homeless);
    if (items.length === 0) {
      if (waitingFor === document.waitingFor) return false;
      return this.#commit((stored) => withWaiting(stored, waitingFor));
    }
    return this.#askFor(document, items);
  }

  async #askFor(document: RedriveDocument, items: readonly RedriveItem[]): Promise<boolean> {
    const { clock } = this.#options.platform;
    const book = this.#items as RedriveItems;
    const intents = intentsOf(document, items, clock.now());
    const asked = intents.map(({ part }) => part);
    const canary = document.counts.moved < (document.pace.canary ?? 0);
    for (const item of items) book.set(item, itemStatus.asked);
    const committed = await this.#commit(
      (stored) => {
        if (stored.state !== "running") return undefined;
        const { batches, rampStep } = stored;
        return {
          ...withWaiting(stored, undefined),
          asked,
          batches: batches + 1,
          rampStep: rampStep + (canary ? 0 : 1),
        };
      },
      intents.map(({ write }) => write),
    );
    if (!committed) {
      for (const item of items) book.set(item, itemStatus.waiting);
      return true;
    }
    const { perSecond } = document.pace;
    this.#batchAt = clock.monotonic();
    if (perSecond !== undefined) this.#notBefore = this.#batchAt + (1000 * items.length) / perSecond;
    return true;
  }

  /** A subscription that is gone takes nothing back. */
  async #skipHomeless(items: readonly RedriveItem[]): Promise<boolean> {
    const { counts, asked, subscriptions } = this.#document as RedriveDocument;
    const skipped = items.map(({ id, subscription }) => ({
      id,
      code: "TIDINGS_NOT_FOUND",
      message: `The subscription "${subscriptions[subscription]?.[0]}" is gone.`,
    }));
    for (const item of items) (this.#items as RedriveItems).set(item, itemStatus.skipped);
    const skippedCounts = { ...counts, skipped: counts.skipped + items.length };
    const step: Step = { counts: skippedCounts, asked, skipped, writes: [], changed: true };
    return this.#commit((stored) => settled(stored, step));
  }

  /** Moves it among those that are over. */
  async #end(): Promise<boolean> {
    const nowMs = this.#options.platform.clock.now();
    // An operator who changes it at this moment is heard in the next step.
    return this.#transact(endWrites(this.#document as RedriveDocument, driverName, nowMs));
  }

  /**
   * Commits a change with what has become of the items, on top of what operators have changed meanwhile; false when
   * there is nothing to change any more. Throws TIDINGS_FENCED when another one drives the operation.
   */
  async #commit(
    change: (stored: RedriveDocument) => RedriveDocument | undefined,
    writes: readonly DocumentWrite[] = [],
  ): Promise<boolean> {
    for (;;) {
      const next = change(this.#document as RedriveDocument);
      if (!next) return false;
      const document = { collection: collections.redrives, key: this.id, value: JSON.stringify(next) };
      if (await this.#transact([document, ...(this.#items as RedriveItems).writes(), ...writes])) {
        this.#document = next;
        this.#version += 1;
        this.#items?.written();
        return true;
      }
      if (!(await this.#read())) throw new TidingsError("TIDINGS_FENCED", `The redrive ${this.id} is gone.`);
    }
  }

  /** False when the document of the operation was changed meanwhile. */
  async #transact(documents: readonly DocumentWrite[]): Promise<boolean> {
    const checks = [{ collection: collections.redrives, key: this.id, version: this.#version }];
    const outcome = await this.#options.engine.transact?.({ fences: [this.#options.fence()], checks, documents });
    if (outcome?.committed) return true;
    if (outcome?.conflict.kind === "check") return false;
    throw new TidingsError("TIDINGS_FENCED", `Another process drives the redrive ${this.id} now.`);
  }
}

/** Nothing is asked for or under way, and nothing more will be. */
function isOver({ state, counts, asked }: RedriveDocument): boolean {
  if (asked.length > 0 || underWay(counts) > 0) return false;
  return state === "aborted" || state === "cancelled" || remaining(counts) === 0;
}

function settled(stored: RedriveDocument, step: Step): RedriveDocument {
  const skippedWhy = { ...stored.skippedWhy };
  for (const { code } of step.skipped) skippedWhy[code] = (skippedWhy[code] ?? 0) + 1;
  const skips = [...stored.skips, ...step.skipped].slice(0, skipsMax);
  return { ...stored, counts: step.counts, asked: step.asked, skippedWhy, skips };
}

function withWaiting(stored: RedriveDocument, waitingFor: string | undefined): RedriveDocument {
  const { waitingFor: _, ...others } = stored;
  return waitingFor === undefined ? others : { ...others, waitingFor };
}

/** One intent for each partition that has something of the batch. */
function intentsOf(
  { id: operation, batches, subscriptions }: RedriveDocument,
  items: readonly RedriveItem[],
  nowMs: number,
): readonly { readonly part: AskedBatch; readonly write: DocumentWrite }[] {
  const parts = new Map<string, RedriveItem[]>();
  for (const item of items) {
    const place = `${item.subscription}/${item.partition}`;
    parts.set(place, [...(parts.get(place) ?? []), item]);
  }
  return [...parts.values()].map((members) => {
    const [{ subscription, partition }] = members as [RedriveItem];
    const [name] = subscriptions[subscription] as readonly [string, string];
    const id = redriveIntentId(operation, batches, subscription, partition);
    const letters = members.map(({ id: letter, redrives }) => ({ id: letter, redrives }));
    const intent: Intent = {
      id,
      subscription: name,
      partition,
      by: `redrive ${operation}`,
      atMs: nowMs,
      kind: "redrive-many",
      operation,
      letters,
    };
    const write = { collection: collections.intents, key: `${name}/${id}`, value: JSON.stringify(intent) };
    return { part: { intent: id, subscription, partition }, write };
  });
}
