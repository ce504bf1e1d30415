import { hasCode, TidingsError } from "../../errors/tidings-error.ts";
import { recordBytes, type StoredRecord } from "../../event/record.ts";
import { messageOf } from "../../event/validate.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Lease } from "../../ports/leases.ts";
import { type Batches, createBatches } from "../run/batches.ts";
import { type Claims, createClaims } from "../commit/claims.ts";
import { Committer } from "../commit/committer.ts";
import { Delivery, type ResolvedRoute } from "../lanes/delivery.ts";
import { HeldKeys } from "../held/held-keys.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { Lanes } from "../lanes/lanes.ts";
import { type Progress, resumeProgress } from "../commit/progress.ts";
import { type ClaimDocument, collections, type Counts, positionKey, type PositionDocument } from "../records.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { runSuspects } from "./suspects.ts";

/** What is known of a partition at this moment. */
export interface PartitionStatus {
  readonly partition: number;
  readonly low: number;
  readonly counts: Counts;
  /** Fetched and not settled. */
  readonly inFlight: number;
  readonly running: number;
  readonly heldKeys: number;
  readonly heldEvents: number;
  /** Monotonic time of the last commit. */
  readonly progressAt: number;
  readonly trouble: string | undefined;
}

/** The parts of a partition that operations of operators work on. */
export interface PartitionParts {
  readonly committer: Committer;
  readonly held: HeldKeys;
  readonly lanes: Lanes;
}

/** A partition in the hands of its owner. */
export interface Partition {
  readonly number: number;
  /** Reads where it stands, runs suspects alone, then fetches. */
  start(): Promise<void>;
  /** Reads where it stands without running anything, for operations of operators while no application runs. */
  startForMaintenance(): Promise<void>;
  /** Lets running handlers end, commits, and lets go. After `lost` nothing is committed any more. */
  stop(lost: boolean): Promise<void>;
  /** Tells running handlers to stop. */
  abort(reason: unknown): void;
  /** Fetches and starts what may be started: called after a resume, or by a hint. */
  wake(): void;
  status(): PartitionStatus;
  readonly parts: PartitionParts;
}

/** How often to look for new events when no hint comes, and again after an error, in milliseconds. */
const backstopMs = 5000;
const errorDelayMs = 500;
/** Most events of one read: as many as are handled in a few milliseconds. */
const readMax = 512;

export function createPartition(
  runtime: SubscriptionRuntime,
  number: number,
  lease: Lease,
  onLost: (error: TidingsError) => void,
): Partition {
  const { engine, platform } = runtime;
  const { clock } = platform;
  const key = positionKey(runtime.name, number);
  const fence = { lease: lease.name, token: lease.token };
  let progress: Progress;
  let committer: Committer;
  let claims: Claims;
  let lanes: Lanes;
  let held: HeldKeys;
  let batches: Batches;
  let inbox: Inbox | undefined;
  let stopped = false;
  let ready = false;
  let fetching = false;
  let hinted = false;
  let inFlight = 0;
  let inFlightBytes = 0;
  let progressAt = clock.monotonic();
  let trouble: string | undefined;
  let unwatch: (() => void) | undefined;
  let cancelBackstop: CancelTimer | undefined;

  async function load(): Promise<PositionDocument> {
    const state = engine.state as NonNullable<typeof engine.state>;
    const [position] = await state.get(collections.positions, [key]);
    if (!position) throw new TidingsError("TIDINGS_NOT_FOUND", `The position of ${key} is not registered.`);
    const document = JSON.parse(position.value) as PositionDocument;
    build(document);
    return document;
  }

  async function start(): Promise<void> {
    const document = await load();
    const heldSuspects = await held.load();
    const [claim] = (await engine.state?.get(collections.claims, [key])) ?? [];
    const claimed = claim ? (JSON.parse(claim.value) as ClaimDocument) : undefined;
    if (stopped) return;
    await runSuspects({
      runtime,
      number,
      progress,
      lanes,
      held,
      claims,
      claimed,
      heldSuspects,
      document,
      ingest: (record) => ingest(record, true),
      stopped: () => stopped,
    });
    if (stopped) return;
    ready = true;
    held.begin();
    unwatch = engine.topics.watch(runtime.topic, wake);
    wake();
  }

  function build(document: PositionDocument): void {
    progress = resumeProgress(document);
    claims = createClaims({
      engine,
      clock,
      key,
      fence,
      aheadMax: Math.max(256, runtime.prefetch.events * 2),
      low: () => progress.low(),
      onCovered: () => lanes.dispatch(),
    });
    committer = new Committer({
      engine,
      clock,
      key,
      fence,
      document,
      progress,
      claim: () => (ready ? claims.due() : undefined),
      claimWritten: () => claims.written(),
      onCommitted() {
        runtime.metrics.commits.add();
        progressAt = clock.monotonic();
        wake();
      },
      onLost(error) {
        stopped = true;
        onLost(error);
      },
      onTrouble(text) {
        trouble = text;
        if (text)
          runtime.log.warn({ subscription: runtime.name, partition: number, trouble: text }, "commits are delayed");
      },
    });
    held = new HeldKeys({
      runtime,
      partition: number,
      run: document.run,
      committer,
      fence,
      start: (delivery) => lanes.runAlone(delivery),
      owner: () => lanes,
      onHeld: settled,
    });
    batches = createBatches(runtime, () => lanes);
    lanes = new Lanes({
      runtime,
      committer,
      claims,
      held,
      batches,
      onSettled: (delivery) => delivery.held === undefined && settled(delivery.record),
    });
    if (runtime.inboxWindowMs !== undefined)
      inbox = createInbox(engine, runtime.name, document.run, runtime.inboxWindowMs);
  }

  function settled(record: StoredRecord): void {
    inFlight -= 1;
    inFlightBytes -= recordBytes(record);
  }

  function wake(): void {
    hinted = true;
    if (ready && !fetching && !stopped) void fetchLoop();
    if (ready) lanes.dispatch();
  }

  /** Why nothing more may be fetched now; undefined when it may. */
  function full(): string | undefined {
    if (runtime.paused()) return "paused";
    if (inFlight >= runtime.prefetch.events || inFlightBytes >= runtime.prefetch.bytes) return "prefetch";
    if (held.size() >= runtime.heldMax) return "held keys";
    if (progress.gaps() >= runtime.prefetch.events * 4) return "gaps";
    return undefined;
  }

  async function fetchLoop(): Promise<void> {
    fetching = true;
    cancelBackstop?.();
    try {
      while (hinted && !stopped && full() === undefined) {
        hinted = false;
        await fetchOnce();
      }
    } catch (error) {
      fetchFailed(error);
    } finally {
      fetching = false;
      if (!stopped) cancelBackstop = clock.after(trouble === undefined ? backstopMs : errorDelayMs, wake, true);
    }
  }

  async function fetchOnce(): Promise<void> {
    const room = Math.min(readMax, runtime.prefetch.events - inFlight);
    const page = await engine.topics.read(runtime.topic, number, progress.next, {
      events: room,
      bytes: Math.max(1, runtime.prefetch.bytes - inFlightBytes),
    });
    if (stopped) return;
    trouble = undefined;
    if (page.lost > 0) return positionLost(page.lost);
    if (page.records.length > 0) hinted = true;
    if (runtime.guarantee === "at-most-once") await ingestAtMostOnce(page.records);
    else if (inbox) for (const record of page.records) await ingestOnce(record, inbox);
    else for (const record of page.records) ingest(record, false);
    progress.reached(page.next);
    lanes.dispatch();
  }

  /** Events are gone that nobody handled: never skipped silently. */
  function positionLost(lost: number): void {
    trouble = `${lost} events from position ${progress.next} on are gone by retention`;
    runtime.log.error(
      { code: "TIDINGS_POSITION_LOST", subscription: runtime.name, topic: runtime.topic, partition: number, lost },
      trouble,
    );
    void runtime.pause(`${trouble} in partition ${number} of "${runtime.topic}"; seek to go on`, undefined);
  }

  /** Sends an event to its lane, behind its held key, or past. The delivery, when there is one to run. */
  function ingest(record: StoredRecord, suspect: boolean): Delivery | undefined {
    if (!progress.fetched(record.position)) return undefined;
    const route = runtime.routes.get(record.type);
    if (!route) return pass(record, "filtered");
    const expiry = record.attributes?.["expirytime"];
    if (expiry !== undefined && Date.parse(expiry) <= clock.now()) return pass(record, "expired");
    inFlight += 1;
    inFlightBytes += recordBytes(record);
    const entry = record.key === null ? undefined : held.blocks(record.key);
    if (entry) {
      held.append(entry, record);
      return undefined;
    }
    const delivery = lanes.make(record, route);
    if (!suspect) lanes.enqueue(delivery);
    return delivery;
  }

  function pass(record: StoredRecord, as: "filtered" | "expired"): undefined {
    runtime.metrics[as].add();
    committer.pass(record.position, as);
    return undefined;
  }

  async function ingestOnce(record: StoredRecord, book: Inbox): Promise<void> {
    const route = runtime.routes.get(record.type);
    const seen = route ? await book.seen(record) : "new";
    if (seen === "new") {
      const identity = route && book.remember(record);
      const delivery = ingest(record, false);
      if (delivery) delivery.identity = identity;
      return;
    }
    if (seen === "duplicate") {
      runtime.metrics.duplicates.add();
      if (progress.fetched(record.position)) pass(record, "filtered");
      return;
    }
    const delivery = ingest(record, false);
    if (!delivery) return;
    delivery.commitError = new TidingsError(
      "TIDINGS_ID_CONFLICT",
      `The event ${record.id} of ${record.source} was handled before with another payload.`,
      {
        details: { id: record.id, topic: record.topic, subscription: runtime.name },
      },
    );
  }

  /** At most once: the position is committed before anything runs; a crash in between leaves a count of unknown outcomes. */
  async function ingestAtMostOnce(records: readonly StoredRecord[]): Promise<void> {
    const begun: Delivery[] = [];
    for (const record of records) {
      const delivery = ingest(record, true);
      if (!delivery) continue;
      begun.push(delivery);
      committer.add({
        position: record.position,
        as: "unknown",
        counts: undefined,
        writes: undefined,
        durable: true,
        committed() {},
        conflicted() {},
        refused() {},
      });
    }
    await committer.drained();
    if (stopped) return;
    for (const delivery of begun) {
      delivery.as = "unknown";
      lanes.enqueue(delivery);
    }
  }

  function fetchFailed(error: unknown): void {
    if (stopped || hasCode(error, "TIDINGS_CLOSED")) return;
    trouble = messageOf(error);
    hinted = true;
    runtime.log.error(
      { subscription: runtime.name, topic: runtime.topic, partition: number, position: progress.next, err: error },
      "events could not be read",
    );
  }

  return {
    number,
    start,
    async startForMaintenance() {
      await load();
      await held.load();
    },
    wake() {
      if (ready) held.begin();
      wake();
    },
    async stop(lost) {
      const ran = ready;
      ready = false;
      unwatch?.();
      cancelBackstop?.();
      if (lost) stopped = true;
      if (!lanes) {
        stopped = true;
        return;
      }
      held.stop();
      if (lost) {
        committer.stop();
        lanes.abort(new TidingsError("TIDINGS_FENCED", `This member no longer owns ${key}.`));
        void lanes.quiesce();
        return;
      }
      await lanes.quiesce();
      await committer.drained();
      if (!stopped && ran) await claims.clear().catch(() => undefined);
      stopped = true;
      committer.stop();
    },
    abort(reason) {
      lanes?.abort(reason);
    },
    status: () => ({
      partition: number,
      low: progress?.low() ?? 0,
      counts: committer?.counts(),
      inFlight,
      running: lanes?.running() ?? 0,
      heldKeys: held ? [...held.entries()].length : 0,
      heldEvents: held?.size() ?? 0,
      progressAt,
      trouble:
        trouble ??
        (held && held.size() >= runtime.heldMax
          ? `more than ${runtime.heldMax} events wait behind held keys`
          : undefined),
    }),
    get parts() {
      return { committer, held, lanes };
    },
  };
}

/** Type of the function that sends an event on its way, for suspects. */
export type Ingest = (record: StoredRecord) => Delivery | undefined;
export type { ResolvedRoute };
