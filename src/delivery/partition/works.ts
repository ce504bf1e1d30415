import type { TidingsError } from "../../errors/tidings-error.ts";
import type { Fence } from "../../ports/transaction.ts";
import { Claims } from "../commit/claims.ts";
import { Committer } from "../commit/committer.ts";
import { type Progress, resumeProgress } from "../commit/progress.ts";
import { HeldKeys } from "../held/held-keys.ts";
import { Lanes } from "../lanes/lanes.ts";
import type { PositionDocument } from "../records.ts";
import { createBatches } from "../run/batches.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import { Fetch } from "./fetch.ts";
import { createInbox } from "./inbox.ts";
import { Ingest } from "./ingest.ts";
import { RelayMarks } from "../commit/relay-marks.ts";

/** What a partition is put together from. */
export interface WorksOptions {
  readonly runtime: SubscriptionRuntime;
  readonly number: number;
  /** Key of the position and claim documents. */
  readonly key: string;
  readonly fence: Fence;
  /** Who owns the partition. */
  readonly owner: string;
  readonly document: PositionDocument;
  /** Whether claims may be extended: its suspects have run, and it does not drain. */
  readonly ready: () => boolean;
  /** Something is on its way, and nothing was before. */
  readonly onBusy: () => void;
  readonly onCommitted: () => void;
  readonly onTrouble: (trouble: string | undefined) => void;
  readonly onLost: (error: TidingsError) => void;
}

/** The parts of a partition whose position is known. */
export interface Works {
  readonly document: PositionDocument;
  readonly progress: Progress;
  readonly claims: Claims;
  readonly committer: Committer;
  readonly held: HeldKeys;
  readonly lanes: Lanes;
  readonly ingest: Ingest;
  readonly fetch: Fetch;
}

/** Puts the parts of a partition together. Nothing runs yet. */
export function assemble(options: WorksOptions): Works {
  const { runtime, number, key, fence, document } = options;
  const { engine, platform } = runtime;
  const { clock } = platform;
  const progress = resumeProgress(document);
  const marks = new RelayMarks(document.relayed);
  const claims = new Claims({
    engine,
    clock,
    key,
    fence,
    owner: options.owner,
    aheadMax: Math.max(256, runtime.prefetch.events * 2),
    low: () => progress.low(),
    onCovered: () => lanes.dispatch(),
  });
  const committer = new Committer({
    engine,
    clock,
    key,
    fence,
    document,
    progress,
    marks,
    patientMax: Math.min(64, runtime.prefetch.events / 8),
    feed: runtime.feed,
    claim: () => (options.ready() ? claims.due() : undefined),
    claimWritten: () => claims.written(),
    onCommitted: () => {
      options.onCommitted();
      fetch.goOn();
    },
    onLost: options.onLost,
    onTrouble: options.onTrouble,
  });
  const held = new HeldKeys({
    runtime,
    partition: number,
    run: document.run,
    committer,
    fence,
    start: (delivery, claim) => lanes.runAlone(delivery, claim),
    owner: () => lanes,
    laneBusy: (key) => lanes.find(key)?.busy ?? false,
    onHeld: (record) => ingest.settled(record),
  });
  const lanes: Lanes = new Lanes({
    runtime,
    committer,
    claims,
    held,
    batches: createBatches(runtime, () => lanes),
    isFull: () => ingest.isFull(),
    onSettled: (delivery) => delivery.held === undefined && ingest.settled(delivery.record),
  });
  const inbox =
    runtime.inboxWindowMs === undefined
      ? undefined
      : createInbox(engine, runtime.name, document.run, runtime.inboxWindowMs);
  const ingest = new Ingest({ runtime, progress, marks, committer, held, lanes, inbox, onBusy: options.onBusy });
  const fetch = new Fetch({ runtime, number, progress, held, lanes, ingest });
  return { document, progress, claims, committer, held, lanes, ingest, fetch };
}
