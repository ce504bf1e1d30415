import type { StoredRecord } from "../../event/record.ts";
import type { DocumentWrite, Fence } from "../../ports/transaction.ts";
import type { Committer } from "../commit/committer.ts";
import { closeDeadLetter, deadLetterOf, writeDeadLetter } from "./dead-letters.ts";
import { Delivery, type DeliveryOwner, noTries } from "../lanes/delivery.ts";
import {
  entryFromDocument,
  entryToDocument,
  type HeldEntry,
  heldCount,
  heldEventKey,
  heldIdOfKey,
  heldIdOfPosition,
  heldKey,
  newEntry,
} from "./held-entry.ts";
import {
  collections,
  type Counts,
  type DeadLetter,
  type DeadLetterReason,
  type HeldDocument,
  type HeldEventDocument,
  partitionKey,
  recordFromDocument,
  recordToDocument,
} from "../records.ts";
import type { NextStep } from "../failure/retry.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Settlement } from "../commit/settlement.ts";
import { stalledError } from "../failure/stalled.ts";
import type { UnitWrites } from "../unit-of-work.ts";

/** What held keys of a partition work with. */
export interface HeldKeysOptions {
  readonly runtime: SubscriptionRuntime;
  readonly partition: number;
  readonly run: number;
  readonly committer: Committer;
  readonly fence: Fence;
  /** Runs the head of an entry; ends in `succeeded`, `failedAgain`, `putBack` or `discarded`. Resolves when it has run. */
  readonly start: (delivery: Delivery) => Promise<void>;
  readonly owner: () => DeliveryOwner;
  /** Followers that came in through a lane are settled by being held. */
  readonly onHeld: (record: StoredRecord) => void;
}

/** The held keys of one partition, in the hands of its owner. */
export interface HeldKeys {
  /** Reads what the store has; resolves with the entries whose head may have killed the process. */
  load(): Promise<readonly HeldEntry[]>;
  /** Begins to run what is due, or goes on after a pause of the subscription. */
  begin(): void;
  /** The entry behind which an event of this key must wait. */
  blocks(key: string): HeldEntry | undefined;
  /** Lets an event wait behind its key. */
  append(entry: HeldEntry, record: StoredRecord): void;
  /** Holds a failed delivery, and with it what waited in its lane. */
  hold(
    delivery: Delivery,
    error: unknown,
    step: NextStep & { step: "hold" | "park" },
    alone: boolean,
    followers: readonly Delivery[],
  ): void;
  succeeded(delivery: Delivery): void;
  failedAgain(delivery: Delivery, error: unknown, step: NextStep & { step: "hold" | "park" }): void;
  conflicted(delivery: Delivery): void;
  putBack(entry: HeldEntry): void;
  /** Resolves when the discard is on its way to the committer. */
  discarded(entry: HeldEntry, by: string): Promise<void>;
  /** Runs the head now: a redrive, or an operator's retry. */
  runNow(entry: HeldEntry, options: { redriving: boolean; record?: StoredRecord }, letter?: DeadLetter): void;
  pauseKey(key: string, reason: string, untilMs: number | undefined): void;
  resumeKey(entry: HeldEntry): void;
  /** Counts a death that the head has caused while it ran alone. */
  stalled(entry: HeldEntry): void;
  find(id: string): HeldEntry | undefined;
  entries(): Iterable<HeldEntry>;
  /** How many events wait. */
  size(): number;
  stop(): void;
}

/** A page of held documents. */
const pageMax = 500;

export function createHeldKeys(options: HeldKeysOptions): HeldKeys {
  const { runtime, partition, run, committer } = options;
  const { clock, ids } = runtime.platform;
  const heldCollection = collections.held(runtime.name);
  const eventCollection = collections.heldEvents(runtime.name);
  const entries = new Map<string, HeldEntry>();
  let stopped = false;
  let begun = false;
  let total = 0;

  const state = (): NonNullable<typeof runtime.engine.state> =>
    runtime.engine.state as NonNullable<typeof runtime.engine.state>;
  const entryWrite = (entry: HeldEntry): DocumentWrite => ({
    collection: heldCollection,
    key: heldKey(partition, entry.id),
    value:
      heldCount(entry) === 0 && entry.reason !== "paused"
        ? null
        : JSON.stringify(entryToDocument(entry, partition, run)),
  });
  const eventWrite = (entry: HeldEntry, seq: number, record: StoredRecord | null): DocumentWrite => ({
    collection: eventCollection,
    key: heldEventKey(partition, entry.id, seq),
    value:
      record === null
        ? null
        : JSON.stringify({
            position: record.position,
            appendedAtMs: record.appendedAtMs,
            record: recordToDocument(record),
          } satisfies HeldEventDocument),
  });

  /** A settlement that only writes documents. */
  function settle(documents: readonly DocumentWrite[], more: Partial<Settlement> = {}): void {
    const bytes = documents.reduce((sum, { value }) => sum + (value?.length ?? 0) + 64, 0);
    committer.add({
      position: -1,
      as: "held",
      counts: undefined,
      durable: true,
      committed() {},
      conflicted() {},
      refused(error) {
        runtime.log.error({ subscription: runtime.name, partition, err: error }, "a held key could not be written");
      },
      ...more,
      writes: { documents: [...documents], bytes },
    });
  }

  function arm(entry: HeldEntry): void {
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    if (!begun || stopped || entry.busy || entry.reason === "dead" || runtime.paused()) return;
    if (entry.reason === "paused" && entry.dueAtMs === undefined) return;
    const delayMs = entry.dueAtMs === undefined ? 0 : Math.max(0, entry.dueAtMs - clock.now());
    if (delayMs === 0) due(entry);
    else entry.cancelTimer = clock.after(delayMs, () => arm(entry));
  }

  function due(entry: HeldEntry): void {
    if (entry.reason === "paused") return void resumeKey(entry);
    if (heldCount(entry) === 0) return release(entry);
    entry.busy = true;
    void runHead(entry);
  }

  async function runHead(entry: HeldEntry): Promise<void> {
    const page = await state()
      .scan(eventCollection, { prefix: `${heldKey(partition, entry.id)}#`, limit: 1 })
      .catch((error: unknown) => {
        runtime.log.error({ subscription: runtime.name, key: entry.key, err: error }, "a held event could not be read");
        return undefined;
      });
    if (stopped) return;
    const [document] = page ?? [];
    if (!document) {
      entry.busy = false;
      if (page) return release(entry);
      entry.dueAtMs = clock.now() + 1000;
      return arm(entry);
    }
    const held = JSON.parse(document.value) as HeldEventDocument;
    entry.headSeq = Number(document.key.slice(document.key.lastIndexOf("#") + 1));
    const { position, appendedAtMs } = held;
    const record = recordFromDocument(held.record, { topic: runtime.topic, partition, position, appendedAtMs });
    const route = runtime.routes.get(record.type);
    if (!route) {
      // Its handler is gone since: it waits for one, visibly.
      runtime.log.error(
        { subscription: runtime.name, event: record.id, type: record.type },
        "a held event has no handler any more",
      );
      entry.busy = false;
      return;
    }
    const delivery = new Delivery(record, route, options.owner());
    delivery.held = entry;
    delivery.tries = entry.tries;
    const alone = entry.running === "solo";
    if (alone && entry.tries.stalls >= route.policy.retry.stallsMax)
      delivery.commitError = stalledError(record, runtime.name, entry.tries.stalls);
    entry.running ??= "shared";
    // Before it runs, so that a death of the process is seen to have happened under it.
    await runtime.engine
      .transact?.({ documents: [entryWrite(entry)], durable: false, fences: [options.fence] })
      .catch(() => undefined);
    if (stopped) return;
    if (!alone) return void options.start(delivery);
    runtime.gate.enter();
    await runtime.gate.alone(() => options.start(delivery));
    runtime.gate.leave();
  }

  /** Nothing waits any more: later events of the key go through their lane again. */
  function release(entry: HeldEntry): void {
    entry.releasing = true;
    entry.reason = "drain";
    settle([entryWrite(entry)], { committed: () => released(entry), durable: false });
  }

  function released(entry: HeldEntry): void {
    entry.busy = false;
    if (heldCount(entry) === 0 && entry.releasing) {
      entries.delete(entry.id);
      entry.cancelTimer?.();
      return;
    }
    entry.releasing = false;
    arm(entry);
  }

  /** After its head is gone for good: the next one is the head, with tries of its own. */
  function behead(entry: HeldEntry): DocumentWrite[] {
    const gone = eventWrite(entry, entry.headSeq, null);
    entry.headSeq += 1;
    entry.tries = noTries;
    entry.running = undefined;
    entry.redriving = false;
    entry.deadLetter = undefined;
    // An operator may have paused the key while its head ran: what waits behind it goes on waiting.
    if (entry.reason !== "paused") {
      entry.dueAtMs = undefined;
      entry.reason = "drain";
      entry.releasing = heldCount(entry) === 0;
    }
    return [gone, entryWrite(entry)];
  }

  async function letterOf(entry: HeldEntry): Promise<DeadLetter | undefined> {
    if (entry.deadLetter === undefined) return undefined;
    const [document] = await state().get(collections.deadLetters(runtime.name), [entry.deadLetter]);
    return document && (JSON.parse(document.value) as DeadLetter);
  }

  function park(
    entry: HeldEntry,
    record: StoredRecord,
    error: unknown,
    reason: DeadLetterReason,
    before?: DeadLetter,
  ): DocumentWrite {
    entry.reason = "dead";
    entry.dueAtMs = undefined;
    entry.redriving = false;
    entry.deadLetter ??= ids.next();
    runtime.metrics.deadLetters.add();
    return writeDeadLetter(
      deadLetterOf(
        { id: entry.deadLetter, record, heldId: entry.id, reason, error, tries: entry.tries, run, before },
        runtime,
      ),
    );
  }

  function resumeKey(entry: HeldEntry): void {
    entry.reason = "drain";
    entry.dueAtMs = undefined;
    entry.note = undefined;
    if (heldCount(entry) === 0) return release(entry);
    settle([entryWrite(entry)], { committed: () => arm(entry) });
  }

  return {
    async load() {
      const suspects: HeldEntry[] = [];
      const prefix = `${partitionKey(partition)}/`;
      for (let after: string | undefined; ;) {
        const page = await state().scan(heldCollection, {
          prefix,
          limit: pageMax,
          ...(after === undefined ? {} : { after }),
        });
        for (const { key, value } of page) {
          const entry = entryFromDocument(key.slice(prefix.length), JSON.parse(value) as HeldDocument);
          entries.set(entry.id, entry);
          total += heldCount(entry);
          if (entry.running !== undefined && heldCount(entry) > 0) suspects.push(entry);
        }
        if (page.length < pageMax) return suspects;
        after = page[page.length - 1]?.key;
      }
    },
    begin() {
      begun = true;
      for (const entry of [...entries.values()]) arm(entry);
    },
    blocks(key) {
      if (entries.size === 0) return undefined;
      const entry = entries.get(heldIdOfKey(key));
      return entry?.blocking ? entry : undefined;
    },
    append(entry, record) {
      const seq = entry.nextSeq++;
      total += 1;
      if (entry.releasing) {
        entry.releasing = false;
        entry.reason = "drain";
      }
      runtime.metrics.held.add();
      settle([eventWrite(entry, seq, record), entryWrite(entry)], {
        position: record.position,
        as: "held",
        committed: () => {
          options.onHeld(record);
          if (!entry.busy) arm(entry);
        },
      });
    },
    hold(delivery, error, step, alone, followers) {
      const { record } = delivery;
      const nowMs = clock.now();
      const id = alone ? heldIdOfPosition(record.position) : heldIdOfKey(record.key as string);
      // An operator may have paused the key while the delivery ran: then it goes in front of what waits already.
      const paused = entries.get(id);
      const entry = paused ?? newEntry(id, record.key, !alone, nowMs, delivery.tries);
      if (paused) entry.headSeq -= 1;
      else entry.nextSeq += 1;
      entry.tries = delivery.tries;
      entry.busy = true;
      entries.set(id, entry);
      const writes: UnitWrites = { documents: [eventWrite(entry, entry.headSeq, record)], bytes: 2000 };
      if (step.step === "park") writes.documents?.push(park(entry, record, error, step.reason));
      else if (!paused) entry.dueAtMs = nowMs + step.delayMs;
      writes.documents?.push(entryWrite(entry));
      const unknown = delivery.as === "unknown";
      total += 1;
      runtime.metrics.held.add();
      committer.add({
        position: unknown ? -1 : record.position,
        as: "held",
        counts: unknown ? { unknown: -1, held: 1 } : undefined,
        durable: true,
        writes,
        committed() {
          delivery.owner.committed(delivery);
          entry.busy = false;
          arm(entry);
        },
        conflicted() {},
        refused(cause) {
          runtime.log.error({ subscription: runtime.name, event: record.id, err: cause }, "an event could not be held");
        },
      });
      for (const follower of followers) this.append(entry, follower.record);
    },
    succeeded(delivery) {
      const entry = delivery.held as HeldEntry;
      void letterOf(entry).then((letter) => {
        if (stopped) return;
        delivery.counts = { held: -1, handled: 1 };
        const unit = delivery.unit?.writes;
        const undo = { ...entry };
        const own = behead(entry);
        total -= 1;
        if (letter) own.push(...closeDeadLetter(letter, "resolved", clock.now(), "redrive"));
        const writes: UnitWrites = {
          ...unit,
          documents: [...(unit?.documents ?? []), ...own],
          bytes: (unit?.bytes ?? 0) + 1000,
        };
        settleHead(delivery, entry, writes, undo);
      });
    },
    failedAgain(delivery, error, step) {
      const entry = delivery.held as HeldEntry;
      entry.tries = delivery.tries;
      entry.running = undefined;
      const after = (before: DeadLetter | undefined): void => {
        if (stopped) return;
        const writes: DocumentWrite[] = [];
        if (step.step === "park") writes.push(park(entry, delivery.record, error, step.reason, before));
        else if (entry.reason !== "paused") {
          entry.reason = "retry";
          entry.dueAtMs = clock.now() + step.delayMs;
        }
        settle([...writes, entryWrite(entry)], {
          committed: () => {
            entry.busy = false;
            arm(entry);
          },
        });
      };
      void letterOf(entry).then(after, () => after(undefined));
    },
    conflicted(delivery) {
      void options.start(delivery);
    },
    putBack(entry) {
      entry.busy = false;
      if (entry.reason !== "paused") entry.dueAtMs = clock.now() + 1000;
      arm(entry);
    },
    async discarded(entry, by) {
      entry.busy = true;
      const letter = await letterOf(entry);
      if (stopped) return;
      const own = behead(entry);
      total -= 1;
      if (letter) own.push(...closeDeadLetter(letter, "discarded", clock.now(), by));
      settle(own, { as: "discarded", counts: { held: -1, discarded: 1 }, committed: () => released(entry) });
    },
    runNow(entry, { redriving, record }, letter) {
      entry.reason = "retry";
      entry.redriving = redriving;
      entry.dueAtMs = undefined;
      entry.tries = { ...noTries, attempts: entry.tries.attempts };
      const writes = [entryWrite(entry)];
      if (record) writes.unshift(eventWrite(entry, entry.headSeq, record));
      if (letter) writes.push(writeDeadLetter(letter));
      settle(writes, {
        committed: () => {
          entry.busy = false;
          arm(entry);
        },
      });
      entry.busy = true;
    },
    pauseKey(key, reason, untilMs) {
      const id = heldIdOfKey(key);
      const entry = entries.get(id) ?? newEntry(id, key, true, clock.now(), noTries);
      entries.set(id, entry);
      entry.cancelTimer?.();
      entry.reason = "paused";
      entry.note = reason;
      entry.dueAtMs = untilMs;
      settle([entryWrite(entry)], { committed: () => arm(entry) });
    },
    resumeKey,
    stalled(entry) {
      entry.tries = { ...entry.tries, stalls: entry.tries.stalls + 1 };
      runtime.metrics.stalls.add();
    },
    find: (id) => entries.get(id),
    entries: () => entries.values(),
    size: () => total,
    stop() {
      stopped = true;
      for (const entry of entries.values()) entry.cancelTimer?.();
    },
  };

  /** Commits the success of a head; if what it read has changed meanwhile, everything is as before and it runs again. */
  function settleHead(delivery: Delivery, entry: HeldEntry, writes: UnitWrites, undo: HeldEntry): void {
    const counts: Partial<Counts> = delivery.counts ?? {};
    const takeBack = (error?: unknown, changed = ""): void => {
      // What joined meanwhile stays.
      Object.assign(entry, { ...undo, nextSeq: entry.nextSeq, busy: true, releasing: false });
      total += 1;
      settle([entryWrite(entry)]);
      if (error === undefined) delivery.conflicted(changed);
      else delivery.refused(error);
    };
    committer.add({
      position: -1,
      as: "handled",
      counts,
      writes,
      durable: true,
      committed: () => {
        delivery.committed();
        released(entry);
      },
      conflicted: (changed) => takeBack(undefined, changed),
      refused: takeBack,
    });
  }
}
