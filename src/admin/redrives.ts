import { TidingsError } from "../errors/tidings-error.ts";
import { collections } from "../delivery/records.ts";
import {
  endWrites,
  type RedriveDocument,
  type RedriveEntry,
  type RedriveFilter,
  type RedriveState,
  remaining,
  underWay,
} from "../delivery/redrive/documents.ts";
import { sleep } from "../platform/clock.ts";
import { type AdminContext, scanAll, storeOf } from "./context.ts";
import { checkRedrive, paceOf, type RedriveOptions } from "./redrive-options.ts";
import { checkSelection, snapshot } from "./redrive-snapshot.ts";
import { startRedrive } from "./redrive-start.ts";

/** A redrive operation with what has come of it: covered = remaining + skipped + moved, moved = underWay + succeeded + failedAgain + setAside. */
export interface RedriveReport {
  readonly id: string;
  readonly state: RedriveState;
  readonly by: string;
  readonly reason: string | undefined;
  readonly filter: RedriveFilter;
  readonly pace: RedriveDocument["pace"];
  readonly subscriptions: readonly string[];
  readonly covered: number;
  readonly remaining: number;
  /** Sent back to the subscription that had failed. */
  readonly moved: number;
  readonly underWay: number;
  readonly succeeded: number;
  readonly failedAgain: number;
  /** Closed without being handled while they were under way: by a rule, or by a seek. */
  readonly setAside: number;
  /** Not sent back, because something else had become of them meanwhile. */
  readonly skipped: number;
  readonly skippedWhy: Readonly<Record<string, number>>;
  /** The first of those that were skipped. */
  readonly skips: RedriveDocument["skips"];
  readonly batches: number;
  /** Why it does not go on though it is running. */
  readonly waitingFor: string | undefined;
  readonly createdAtMs: number;
  /** When nothing of it was under way any more; undefined before. */
  readonly endedAtMs: number | undefined;
  readonly log: readonly RedriveEntry[];
}

/** What a redrive would cover. */
export interface RedrivePlan {
  readonly covered: number;
  readonly subscriptions: Readonly<Record<string, number>>;
  /** By fingerprint. */
  readonly groups: Readonly<Record<string, number>>;
  /** How many ordering keys, and the 20 with the most dead letters; those without a key are not among them. */
  readonly keys: number;
  readonly topKeys: readonly { readonly subscription: string; readonly key: string; readonly count: number }[];
  /** The first of them. */
  readonly sample: readonly string[];
  readonly pace: RedriveDocument["pace"];
}

/** How to pause, resume or cancel a redrive. */
export interface ChangeOptions {
  /** For whoever looks later. */
  readonly reason?: string;
  /** Say whether it could be done, and do nothing. */
  readonly dryRun?: boolean;
}

/** Redrives as operations: they are stored, survive whoever drives them, and anybody can look at them and stop them. */
export interface RedrivesAdmin {
  /** Says what a redrive would cover, and writes nothing. Throws as `start`, apart from conflicts. */
  plan(filter: RedriveFilter, options?: RedriveOptions): Promise<RedrivePlan>;
  /**
   * Begins to send the open dead letters that match back to the subscriptions that failed, each to its own only. Those
   * that are given up later are not covered. An application drives it; while none runs, it waits. Throws
   * TIDINGS_NOTHING_SELECTED, TIDINGS_CONFIRMATION_NEEDED, TIDINGS_REDRIVE_CONFLICT, TIDINGS_INVALID_OPTION, TIDINGS_NOT_FOUND.
   */
  start(filter: RedriveFilter, options?: RedriveOptions): Promise<RedriveReport>;
  /** Those that go on, and those that were over in the last 30 days, oldest first. */
  list(): Promise<readonly RedriveReport[]>;
  /** Throws TIDINGS_NOT_FOUND. */
  show(id: string): Promise<RedriveReport>;
  /** Sends nothing more back until it is resumed; what is under way ends. Throws TIDINGS_REDRIVE_STATE, TIDINGS_NOT_FOUND. */
  pause(id: string, options?: ChangeOptions): Promise<RedriveReport>;
  /** Throws TIDINGS_REDRIVE_STATE, TIDINGS_NOT_FOUND. */
  resume(id: string, options?: ChangeOptions): Promise<RedriveReport>;
  /** Sends nothing more back, for good; what is under way ends. Throws TIDINGS_REDRIVE_STATE, TIDINGS_NOT_FOUND. */
  cancel(id: string, options?: ChangeOptions): Promise<RedriveReport>;
  /** Resolves when it is over, with its last report. Throws TIDINGS_NOT_FOUND. */
  wait(
    id: string,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (report: RedriveReport) => void },
  ): Promise<RedriveReport>;
}

/** How often `wait` looks, in milliseconds. */
const lookEveryMs = 100;
const topKeysMax = 20;

export function redrivesAdmin(context: AdminContext): RedrivesAdmin {
  return {
    plan: (filter, options = {}) => plan(context, filter, options),
    async start(filter, options = {}) {
      // What processes that were killed have left must not look as if they lived.
      await context.freeDead();
      return reportOf(await startRedrive(context, filter, options));
    },
    list: () => list(context),
    show: async (id) => reportOf((await find(context, id)).document),
    pause: (id, options) => change(context, id, { from: ["running"], to: "paused", what: "paused" }, options),
    resume: (id, options) => change(context, id, { from: ["paused"], to: "running", what: "resumed" }, options),
    cancel: (id, options) =>
      change(context, id, { from: ["running", "paused"], to: "cancelled", what: "cancelled" }, options),
    wait: (id, options = {}) => wait(context, id, options),
  };
}

async function plan(context: AdminContext, filter: RedriveFilter, options: RedriveOptions): Promise<RedrivePlan> {
  checkRedrive(filter, options);
  const covered = await snapshot(context, { ...filter, state: "open" }, options.max);
  // Looking at everything needs no confirmation.
  await checkSelection(context, filter, covered.length, true);
  const subscriptions = new Map<string, number>();
  const groups = new Map<string, number>();
  const keys = new Map<string, { subscription: string; key: string; count: number }>();
  for (const { subscription, fingerprint, key } of covered) {
    subscriptions.set(subscription, (subscriptions.get(subscription) ?? 0) + 1);
    groups.set(fingerprint, (groups.get(fingerprint) ?? 0) + 1);
    if (key === null) continue;
    const place = `${subscription}/${key}`;
    const known = keys.get(place);
    if (known) known.count += 1;
    else keys.set(place, { subscription, key, count: 1 });
  }
  return {
    covered: covered.length,
    subscriptions: Object.fromEntries(subscriptions),
    groups: Object.fromEntries([...groups].sort(([, a], [, b]) => b - a)),
    keys: keys.size,
    topKeys: [...keys.values()].sort((a, b) => b.count - a.count).slice(0, topKeysMax),
    sample: covered.slice(0, topKeysMax).map(({ id }) => id),
    pace: paceOf(options),
  };
}

async function list({ engine }: AdminContext): Promise<readonly RedriveReport[]> {
  const { state } = storeOf(engine);
  const reports: RedriveReport[] = [];
  for (const collection of [collections.endedRedrives, collections.redrives])
    for await (const [, document] of scanAll<RedriveDocument>(state, collection)) reports.push(reportOf(document));
  return reports.sort((a, b) => (a.id < b.id ? -1 : 1));
}

interface Found {
  readonly document: RedriveDocument;
  readonly version: number;
}

async function find({ engine }: AdminContext, id: string): Promise<Found> {
  const { state } = storeOf(engine);
  // One that ends meanwhile leaves the first collection in the commit in which it enters the second.
  const [open] = await state.get(collections.redrives, [id]);
  const [stored = open] = open ? [] : await state.get(collections.endedRedrives, [id]);
  if (stored) return { document: JSON.parse(stored.value) as RedriveDocument, version: stored.version };
  throw new TidingsError("TIDINGS_NOT_FOUND", `There is no redrive ${id}: \`tidings dlq redrives\` lists them.`, {
    details: { redrive: id },
  });
}

interface Change {
  readonly from: readonly RedriveState[];
  readonly to: RedriveState;
  readonly what: RedriveEntry["what"];
}

/** Changes the state on top of what its driver has written meanwhile. */
async function change(
  context: AdminContext,
  id: string,
  { from, to, what }: Change,
  { reason, dryRun = false }: ChangeOptions = {},
): Promise<RedriveReport> {
  const { engine, platform, by } = context;
  for (;;) {
    const { document, version } = await find(context, id);
    if (document.endedAtMs !== undefined || !from.includes(document.state)) {
      const state = document.endedAtMs === undefined ? document.state : `${document.state} and over`;
      throw new TidingsError("TIDINGS_REDRIVE_STATE", `The redrive ${id} is ${state}, so it cannot be ${what}.`, {
        details: { redrive: id, state: document.state },
      });
    }
    if (dryRun) return reportOf(document);
    const entry = { atMs: platform.clock.now(), what, by, ...(reason === undefined ? {} : { reason }) };
    const next: RedriveDocument = { ...document, state: to, log: [...document.log, entry] };
    // While no application runs nobody else would end it, and others could not begin.
    const over = to === "cancelled" && next.asked.length === 0 && underWay(next.counts) === 0;
    const outcome = await storeOf(engine).transact({
      checks: [{ collection: collections.redrives, key: id, version }],
      documents: over
        ? endWrites(next, by, entry.atMs)
        : [{ collection: collections.redrives, key: id, value: JSON.stringify(next) }],
    });
    if (outcome.committed) return reportOf((await find(context, id)).document);
  }
}

async function wait(
  context: AdminContext,
  id: string,
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: (report: RedriveReport) => void },
): Promise<RedriveReport> {
  for (;;) {
    signal?.throwIfAborted();
    const report = reportOf((await find(context, id)).document);
    onProgress?.(report);
    if (report.endedAtMs !== undefined) return report;
    await sleep(context.platform.clock, lookEveryMs, signal);
  }
}

function reportOf(document: RedriveDocument): RedriveReport {
  const { id, state, by, reason, filter, pace, counts, skippedWhy, skips, batches, log, createdAtMs } = document;
  return {
    id,
    state,
    by,
    reason,
    filter,
    pace,
    subscriptions: document.subscriptions.map(([name]) => name),
    ...counts,
    remaining: remaining(counts),
    underWay: underWay(counts),
    skippedWhy,
    skips,
    batches,
    waitingFor: document.waitingFor,
    createdAtMs,
    endedAtMs: document.endedAtMs,
    log,
  };
}
