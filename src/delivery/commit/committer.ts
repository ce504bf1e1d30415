import { hasCode, isTidingsError, TidingsError } from "../../errors/tidings-error.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Check, Conflict, DocumentWrite, Fence, Outcome, Transaction } from "../../ports/transaction.ts";
import { addCounts, type Progress } from "./progress.ts";
import { collections, type Counts, type PositionDocument } from "../records.ts";
import type { Settlement } from "./settlement.ts";

/** What a committer works with. */
export interface CommitterOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Key of the position document. */
  readonly key: string;
  readonly fence: Fence;
  readonly document: PositionDocument;
  readonly progress: Progress;
  /** A write of the claim that should go along with the next commit. */
  readonly claim: () => DocumentWrite | undefined;
  readonly claimWritten: () => void;
  /** After each commit. */
  readonly onCommitted: (settlements: number) => void;
  /** Another member owns the partition, or the engine has stopped for good. */
  readonly onLost: (error: TidingsError) => void;
  /** The storage refuses for now (disk full, busy); undefined when it works again. */
  readonly onTrouble: (trouble: string | undefined) => void;
}

/** Puts finished deliveries of one partition into transactions, in their order, one transaction at a time. */
export interface Committer {
  add(settlement: Settlement): void;
  /** Counts a position that needed no handler. */
  pass(position: number, as: "filtered" | "expired"): void;
  /** Takes settlements back that are not being committed now. */
  withdraw(settlements: ReadonlySet<Settlement>): void;
  counts(): Counts;
  document(): PositionDocument;
  /** Resolves when everything added so far is committed, or the partition is lost. */
  drained(): Promise<void>;
  /** Nothing is committed from now on. */
  stop(): void;
}

/** Most settlements and bytes of one transaction: large enough to pay for its sync, small enough not to stall the loop. */
const groupMax = { settlements: 512, bytes: 1024 * 1024 };
const retryMs = { first: 20, most: 1000 };

/** A transaction with the settlements in it. */
interface Group {
  readonly settlements: readonly Settlement[];
  readonly passed: readonly Passed[];
  readonly transaction: Transaction;
  /** Index of the first check of each settlement, to find the one a conflict speaks of. */
  readonly checkStarts: readonly number[];
  readonly publishStarts: readonly number[];
  readonly document: PositionDocument;
  readonly claimed: boolean;
}

interface Passed {
  readonly position: number;
  readonly as: "filtered" | "expired";
}

export function createCommitter(options: CommitterOptions): Committer {
  const { engine, clock, progress } = options;
  let queue: Settlement[] = [];
  let passed: Passed[] = [];
  let document = options.document;
  let busy = false;
  let scheduled = false;
  let stopped = false;
  let retryDelayMs = retryMs.first;
  /** After a failed group: commit one settlement at a time until so many are through. */
  let single = 0;
  let waiters: (() => void)[] = [];

  function schedule(): void {
    if (busy || scheduled || stopped) return;
    scheduled = true;
    // A microtask later, so that everything that finishes in this turn goes along.
    queueMicrotask(() => {
      scheduled = false;
      flush();
    });
  }

  function flush(): void {
    if (busy || stopped) return;
    if (queue.length === 0 && passed.length === 0) {
      const woken = waiters;
      waiters = [];
      for (const wake of woken) wake();
      return;
    }
    busy = true;
    const group = buildGroup();
    const attempt = engine.transact as NonNullable<Engine["transact"]>;
    attempt(group.transaction).then(
      (outcome) => settle(group, outcome),
      (error: unknown) => refuse(group, error),
    );
  }

  function buildGroup(): Group {
    const taken = takeSettlements();
    const takenPassed = passed;
    passed = [];
    let counts: Counts = document.counts;
    const changes: Record<string, number> = {};
    const count = (name: string, by: number): void => void (changes[name] = (changes[name] ?? 0) + by);
    for (const { position, as } of takenPassed) {
      progress.settle(position);
      count(as, 1);
    }
    const checks = [];
    const documents: DocumentWrite[] = [];
    const timers = [];
    const publish = [];
    const sql = [];
    const checkStarts: number[] = [];
    const publishStarts: number[] = [];
    let durable = false;
    for (const settlement of taken) {
      checkStarts.push(checks.length);
      publishStarts.push(publish.length);
      durable ||= settlement.durable;
      if (settlement.position >= 0) {
        progress.settle(settlement.position);
        count(settlement.as, 1);
      }
      for (const name in settlement.counts) count(name, settlement.counts[name as keyof Counts] as number);
      const { writes } = settlement;
      if (!writes) continue;
      if (writes.checks) for (const check of writes.checks) checks.push(check);
      if (writes.documents) for (const write of writes.documents) documents.push(write);
      if (writes.timers) for (const write of writes.timers) timers.push(write);
      if (writes.publish) for (const entry of writes.publish) publish.push(entry);
      if (writes.sql) for (const work of writes.sql) sql.push(work);
    }
    counts = addCounts(counts, changes);
    const claim = options.claim();
    const next: PositionDocument = {
      start: document.start,
      low: progress.low(),
      finished: progress.finished(),
      counts,
      run: document.run,
      movedAtMs: clock.now(),
      commit: document.commit + 1,
    };
    documents.push({ collection: collections.positions, key: options.key, value: JSON.stringify(next) });
    if (claim) documents.push(claim);
    return {
      settlements: taken,
      passed: takenPassed,
      transaction: { fences: [options.fence], checks, documents, timers, publish, sql, durable },
      checkStarts,
      publishStarts,
      document: next,
      claimed: claim !== undefined,
    };
  }

  /** The next settlements that may stand in one transaction: none that read what an earlier one of them writes. */
  function takeSettlements(): Settlement[] {
    const most = single > 0 ? 1 : groupMax.settlements;
    const written = new Set<string>();
    let bytes = 0;
    let taken = 0;
    for (; taken < queue.length && taken < most; taken++) {
      const { writes } = queue[taken] as Settlement;
      if (!writes) continue;
      bytes += writes.bytes;
      if (taken > 0 && bytes > groupMax.bytes) break;
      if (writes.checks?.some((check) => written.has(`${check.collection}\u0000${check.key}`))) break;
      if (writes.documents) for (const write of writes.documents) written.add(`${write.collection}\u0000${write.key}`);
    }
    if (single > 0) single -= 1;
    if (taken === queue.length) {
      const all = queue;
      queue = [];
      return all;
    }
    return queue.splice(0, taken);
  }

  function settle(group: Group, outcome: Outcome): void {
    if (stopped) return;
    if (!outcome.committed) return void resolveConflict(group, outcome.conflict);
    busy = false;
    succeeded(group);
    flush();
  }

  function succeeded(group: Group): void {
    document = group.document;
    progress.forget();
    if (group.claimed) options.claimWritten();
    if (retryDelayMs !== retryMs.first) {
      retryDelayMs = retryMs.first;
      options.onTrouble(undefined);
    }
    for (const settlement of group.settlements) settlement.committed();
    options.onCommitted(group.settlements.length + group.passed.length);
  }

  /** Puts a group back in front of the queue, as if it had never been taken. */
  function putBack(group: Group, without?: Settlement): void {
    progress.unsettle([
      ...group.passed.map(({ position }) => position),
      ...group.settlements.flatMap(({ position }) => (position >= 0 ? [position] : [])),
    ]);
    passed = [...group.passed, ...passed];
    queue = [...group.settlements.filter((settlement) => settlement !== without), ...queue];
  }

  function resolveConflict(group: Group, conflict: Conflict): void {
    if (conflict.kind === "fence") {
      return lost(
        new TidingsError("TIDINGS_FENCED", `Another member has taken over ${options.key}.`, {
          details: { lease: options.fence.lease },
        }),
      );
    }
    if (conflict.kind === "check") return void takeOutStale(group, conflict.index);
    const guilty = settlementAt(group, group.publishStarts, conflict.index);
    const entry = group.transaction.publish?.[conflict.index];
    busy = false;
    putBack(group, guilty);
    guilty.refused(
      new TidingsError(
        "TIDINGS_ID_CONFLICT",
        `An event ${entry?.record.id} of ${entry?.record.source} exists with another payload on topic "${entry?.topic}".`,
        { details: { id: entry?.record.id ?? "", topic: entry?.topic ?? "" } },
      ),
    );
    schedule();
  }

  function settlementAt(group: Group, starts: readonly number[], index: number): Settlement {
    return group.settlements[starts.findLastIndex((start) => start <= index)] as Settlement;
  }

  /** A conflict names one check; all that are stale go at once, or a group of many would fail as often as it has of them. */
  async function takeOutStale(group: Group, named: number): Promise<void> {
    const checks = group.transaction.checks ?? [];
    const versions = checks.length > 1 ? await versionsOf(checks).catch(() => undefined) : undefined;
    if (stopped) return;
    const stale = new Map<Settlement, string>();
    for (const [index, check] of checks.entries()) {
      const name = `${check.collection}\u0000${check.key}`;
      if (index !== named && (versions?.get(name) ?? check.version) === check.version) continue;
      const settlement = settlementAt(group, group.checkStarts, index);
      if (!stale.has(settlement)) stale.set(settlement, name);
    }
    busy = false;
    putBack(group);
    for (const [settlement, name] of stale) {
      // An earlier one of its lane may have taken it back already.
      if (!queue.includes(settlement)) continue;
      queue = queue.filter((other) => other !== settlement);
      settlement.conflicted(name);
    }
    schedule();
  }

  async function versionsOf(checks: readonly Check[]): Promise<ReadonlyMap<string, number>> {
    const state = engine.state as NonNullable<Engine["state"]>;
    const versions = new Map<string, number>();
    for (const collection of new Set(checks.map((check) => check.collection))) {
      const keys = [...new Set(checks.filter((check) => check.collection === collection).map(({ key }) => key))];
      const documents = await state.get(collection, keys);
      for (const [i, key] of keys.entries()) versions.set(`${collection}\u0000${key}`, documents[i]?.version ?? 0);
    }
    return versions;
  }

  function refuse(group: Group, error: unknown): void {
    if (stopped) return;
    if (hasCode(error, "TIDINGS_OUTCOME_UNKNOWN")) return void lookUp(group);
    if (
      isTidingsError(error) &&
      (error.code === "TIDINGS_DISK_FAILED" || error.code === "TIDINGS_CLOSED" || error.code === "TIDINGS_FILE_CORRUPT")
    )
      return lost(error);
    if (isTidingsError(error) && error.retryable) return tryLater(group, error.message);
    busy = false;
    const writers = group.settlements.filter(({ writes }) => writes !== undefined);
    if (writers.length <= 1) {
      const [guilty] = writers;
      if (!guilty) {
        busy = true;
        return tryLater(group, String(error));
      }
      putBack(group, guilty);
      guilty.refused(error);
    } else {
      // Somebody's write is at fault; apart it shows whose.
      single = group.settlements.length;
      putBack(group);
    }
    schedule();
  }

  function tryLater(group: Group, trouble: string): void {
    options.onTrouble(trouble);
    const delayMs = retryDelayMs;
    retryDelayMs = Math.min(retryMs.most, retryDelayMs * 2);
    clock.after(delayMs, () => {
      if (stopped) return;
      busy = false;
      putBack(group);
      flush();
    });
  }

  /** Whether a commit of unknown outcome took effect stands in the position document. */
  function lookUp(group: Group): void {
    const state = engine.state as NonNullable<Engine["state"]>;
    state.get(collections.positions, [options.key]).then(
      ([found]) => {
        if (stopped) return;
        const there = found ? (JSON.parse(found.value) as PositionDocument) : undefined;
        if (there?.commit === group.document.commit) {
          busy = false;
          succeeded(group);
          flush();
        } else tryLater(group, "the outcome of a commit was unknown; it did not take effect");
      },
      () => clock.after(retryDelayMs, () => lookUp(group)),
    );
  }

  function lost(error: TidingsError): void {
    stop();
    options.onLost(error);
  }

  function stop(): void {
    stopped = true;
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  }

  return {
    add(settlement) {
      queue.push(settlement);
      schedule();
    },
    pass(position, as) {
      passed.push({ position, as });
      schedule();
    },
    withdraw(settlements) {
      queue = queue.filter((settlement) => !settlements.has(settlement));
    },
    counts: () => document.counts,
    document: () => document,
    drained() {
      if (stopped || (!busy && queue.length === 0 && passed.length === 0)) return Promise.resolve();
      return new Promise((resolve) => {
        waiters.push(resolve);
        schedule();
      });
    },
    stop,
  };
}
