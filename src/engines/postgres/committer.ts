import { hasCode, TidingsError } from "../../errors/tidings-error.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Conflict, Outcome } from "../../ports/transaction.ts";
import type { Call } from "./call.ts";
import type { Catalog } from "./catalog.ts";
import { backOff, type Connections, type Inside, passes } from "./connections.ts";
import { describeFailure, failureKind, toCallError, toTidingsError, unknownOutcome } from "./failure.ts";
import { takeGroup } from "./group.ts";
import type { Settings } from "./options.ts";
import type { Tail } from "../sql/tail.ts";
import { appendedOf, knownIds, place, type Placed } from "./placing.ts";
import { type CommitRow, commitStatement } from "./statement.ts";
import { isThrownByUser, runUserSql } from "./user-sql.ts";
import { Writer } from "./writer.ts";

/** What a committer works with. */
export interface CommitterParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly connections: Connections;
  readonly catalog: Catalog;
  /** Gets what was appended. */
  readonly tail: Tail;
  readonly deduplicationWindowMs: number;
  /** Called after each commit that wrote something. */
  readonly committed: (logs: Iterable<number>, collections: ReadonlySet<string>) => void;
}

/** How long patient calls wait for company, in milliseconds, and how many of them wait no longer. */
const lingerMs = 4;
const lingerMax = 16;

/** Raised while writing: somebody came in between. Nothing was written, and a look shows what there is now. */
const looksAgain: readonly unknown[] = ["TD001", "TD002"];
const looksMax = 4;

/** Gathers calls into groups and commits one after the other: one statement, one transaction, one sync each. */
export class Committer {
  readonly #parts: CommitterParts;
  #queue: Call[] = [];
  #running = false;
  #cancelLinger: CancelTimer | undefined;
  /** How many of the next calls are tried one by one, after a group of them has failed. */
  #alone = 0;
  #tries = 0;
  #commits = 0;
  #trouble: string | undefined;
  #idle: (() => void)[] = [];
  readonly #writer: Writer;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#writer = new Writer(parts.connections, parts.settings, parts.platform);
  }

  submit(call: Call): void {
    this.#queue.push(call);
    if (this.#running) return;
    if (!call.patient || this.#queue.length >= lingerMax) this.#schedule();
    else this.#linger();
  }

  #linger(): void {
    this.#cancelLinger ??= this.#parts.platform.clock.after(lingerMs, () => this.#schedule());
  }

  /** Whether all that is left has time to wait for company, and nobody waits for the end. */
  #lingers(): boolean {
    if (this.#idle.length > 0 || this.#queue.length >= lingerMax) return false;
    return this.#queue.length > 0 && this.#queue.every(({ patient }) => patient);
  }

  /** Resolves when every call that was submitted is answered. */
  drained(): Promise<void> {
    if (!this.#running && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#schedule();
    });
  }

  /** Groups that were committed. */
  commits(): number {
    return this.#commits;
  }

  /** Why nothing can be written now. */
  trouble(): string | undefined {
    return this.#trouble;
  }

  #schedule(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (this.#running) return;
    this.#running = true;
    this.#parts.platform.clock.soon(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = takeGroup(this.#queue, this.#parts.settings, this.#alone > 0);
      try {
        await this.#commit(group);
      } catch (error) {
        this.#failed(group, error);
      }
      // Whoever was answered may have more to write: it goes along with what is left, instead of after a sync of that alone.
      if (this.#queue.length > 0) await new Promise<void>((resolve) => this.#parts.platform.clock.soon(resolve));
      if (this.#lingers()) break;
    }
    this.#running = false;
    if (this.#queue.length > 0) return this.#linger();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Commits what of a group can be; what cannot is answered and leaves the queue. */
  async #commit(group: readonly Call[]): Promise<void> {
    const { connections, settings, catalog, deduplicationWindowMs } = this.#parts;
    const writer = await this.#writer.fence();
    await catalog.load(topicsOf(group));
    const known = await knownIds(connections, settings, group, deduplicationWindowMs);
    const placed = place(group, catalog, known);
    if (this.#refused(group, placed)) return;
    const effective = group.map((call, index) => effectOf(call, placed.places[index]));
    const sentAt = this.#parts.tail.news();
    const sent = await connections.write<CommitRow>(
      commitStatement(effective, placed, settings, deduplicationWindowMs, writer, connections.expected()),
      this.#insideOf(effective),
    );
    if ("error" in sent) return this.#notCommitted(group, sent.sent, sent.error);
    const [row] = sent.rows;
    if (!row) throw new Error("The commit function answered with nothing.");
    this.#tries = 0;
    // Somebody has removed the lease, with the store perhaps: another one is made.
    if (row.bad_fences?.includes(fencesOf(group))) return this.#writer.removed();
    const conflicts = conflictsOf(group, row);
    if (conflicts.size > 0) return this.#conflicted(conflicts);
    this.#keep(placed, row, sentAt);
    this.#succeeded(group, effective, placed, row);
  }

  /** Rejects calls of which an event has no place; whether there were any. */
  #refused(group: readonly Call[], { places }: Placed): boolean {
    const refused = group.filter((_, index) => places[index] instanceof Error);
    if (refused.length === 0) return false;
    this.#leave(refused);
    for (const [index, call] of group.entries()) if (places[index] instanceof Error) call.reject(places[index]);
    return true;
  }

  /** SQL of the user runs before the commit statement, so that what that locks is not locked for as long as the user takes. */
  #insideOf([call]: readonly Call[]): Inside<CommitRow> | undefined {
    if (!call || call.sql.length === 0) return undefined;
    const limits = { clock: this.#parts.platform.clock, withinMs: this.#parts.settings.requestTimeoutMs };
    return {
      before: (client) => runUserSql(client, call.sql, limits),
      commits: ([row]) => row !== undefined && row.bad_fences === null && row.bad_checks === null,
    };
  }

  /** Who follows a log in this process need not read back what was appended just now. */
  #keep({ staged }: Placed, row: CommitRow, sentAt: number): void {
    const { tail, catalog } = this.#parts;
    let index = 0;
    for (const [log, drafts] of staged) {
      const place = catalog.placeOf(log);
      const [first, appendedAtMs] = [row.nexts?.[index], row.appended_ms?.[index]];
      if (place && first !== undefined && appendedAtMs !== undefined)
        tail.add({ log, first, drafts, appendedAtMs }, place, sentAt);
      index++;
    }
  }

  #succeeded(group: readonly Call[], effective: readonly Call[], placed: Placed, row: CommitRow): void {
    this.#leave(group);
    this.#alone = Math.max(0, this.#alone - group.length);
    this.#commits++;
    if (row.reached !== null) this.#parts.connections.acknowledged(row.reached);
    this.#trouble = undefined;
    const logs = [...placed.staged.keys()];
    const nexts = new Map(logs.map((log, index) => [log, row.nexts?.[index] ?? 0]));
    const nextOf = (log: number): number => nexts.get(log) as number;
    for (let index = 0; index < group.length; index++) {
      const call = group[index] as Call;
      const places = placed.places[index];
      if (typeof places === "number") call.settle({ committed: false, conflict: { kind: "id", index: places } });
      else call.settle({ committed: true, appended: appendedOf(places as never, nextOf) } satisfies Outcome);
    }
    const collections = new Set<string>();
    for (const { documents } of effective) for (const { collection } of documents) collections.add(collection);
    if (logs.length > 0 || collections.size > 0) this.#parts.committed(logs, collections);
  }

  /** The answer may speak of what others committed and what is not synced yet: it waits for a sync as a success does. */
  async #conflicted(conflicts: ReadonlyMap<Call, Conflict>): Promise<void> {
    const refused = [...conflicts.keys()];
    const sent = await this.#parts.connections.write({
      name: "tidings_sync",
      text: "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'tidings', '')",
      values: [],
    });
    if ("error" in sent) return this.#notCommitted(refused, false, sent.error);
    this.#leave(refused);
    for (const [call, conflict] of conflicts) call.settle({ committed: false, conflict });
  }

  async #notCommitted(group: readonly Call[], wasSent: boolean, error: unknown): Promise<void> {
    const { settings, platform } = this.#parts;
    // It mostly shows at once what has come in between, and nobody is to wait for that.
    if (looksAgain.includes((error as { code?: unknown }).code) && this.#tries++ < looksMax) return;
    if ((error as { code?: unknown }).code === "TD006") throw this.#parts.connections.setBack();
    const kind = failureKind(error);
    if (isThrownByUser(error)) {
      this.#leave(group);
      for (const call of group) call.reject(error);
      return;
    }
    if (kind === "lost" && wasSent) {
      this.#writer.doubt();
      // When this is through, what was sent has taken effect or never will. While nobody answers, the next commit tries it again.
      await this.#writer.fence().catch(() => undefined);
      this.#leave(group);
      for (const call of group) call.reject(unknownOutcome(settings.address, error));
      return;
    }
    if (passes(error)) {
      this.#waitsFor(error);
      return backOff(platform, this.#tries++);
    }
    throw error;
  }

  #failed(group: readonly Call[], error: unknown): void {
    // A read has waited in vain for a server that is away: nobody in the group is at fault.
    if (hasCode(error, "TIDINGS_UNREACHABLE")) return this.#waitsFor(error.cause ?? error);
    const ours = toTidingsError(error, this.#parts.settings.address);
    // Also where it was not the commit itself that found no room.
    if (hasCode(ours, "TIDINGS_DISK_FULL")) this.#trouble = ours.message;
    else if (group.length > 1) {
      // One of them is at fault; apart it shows which.
      this.#alone = Math.max(this.#alone, group.length);
      return;
    }
    this.#leave(group);
    this.#alone = Math.max(0, this.#alone - group.length);
    for (const call of group) call.reject(ours);
  }

  /** Rejects what has waited too long for this to pass. */
  #waitsFor(error: unknown): void {
    const { settings, platform } = this.#parts;
    const kind = failureKind(error);
    const code = kind === "again" ? "TIDINGS_BUSY" : "TIDINGS_UNREACHABLE";
    const why = describeFailure(error);
    // It answers, so that nobody but who writes notices.
    if (kind === "read-only") this.#trouble = toCallError(error, settings.address).message;
    const before = platform.clock.monotonic() - settings.busyTimeoutMs;
    const late = this.#queue.filter(({ sinceMs }) => sinceMs <= before);
    if (late.length === 0) return;
    this.#leave(late);
    const sentence = `Nothing was written to ${settings.address} for ${settings.busyTimeoutMs} ms: ${why}. Try again.`;
    const refusal = new TidingsError(code, sentence, {
      details: { address: settings.address, waitedMs: settings.busyTimeoutMs },
    });
    for (const call of late) call.reject(refusal);
  }

  #leave(calls: readonly Call[]): void {
    // A group that was committed is mostly what the queue begins with.
    if (calls.every((call, index) => call === this.#queue[index])) {
      this.#queue = this.#queue.slice(calls.length);
      return;
    }
    const gone = new Set(calls);
    this.#queue = this.#queue.filter((call) => !gone.has(call));
  }
}

const fencesOf = (group: readonly Call[]): number => group.reduce((sum, { fences }) => sum + fences.length, 0);

function topicsOf(group: readonly Call[]): ReadonlySet<string> {
  const topics = new Set<string>();
  for (const { drafts } of group) for (const { topic } of drafts) topics.add(topic);
  return topics;
}

/** What a call writes: nothing when one of its ids means another payload, but its fences and checks count all the same. */
function effectOf(call: Call, places: Placed["places"][number] | undefined): Call {
  return typeof places === "number" ? { ...call, documents: [], timers: [], drafts: [], sql: [] } : call;
}

/** By call, the first fence or else the first check that does not hold. */
function conflictsOf(group: readonly Call[], row: CommitRow): ReadonlyMap<Call, Conflict> {
  const conflicts = new Map<Call, Conflict>();
  if (row.bad_fences === null && row.bad_checks === null) return conflicts;
  const badFences = new Set(row.bad_fences);
  const badChecks = new Map((row.bad_checks ?? []).map((index, i) => [index, row.found_versions?.[i] ?? 0]));
  let fence = 0;
  let check = 0;
  for (const call of group) {
    const badFence = call.fences.findIndex((_, index) => badFences.has(fence + index));
    const badCheck = call.checks.findIndex((_, index) => badChecks.has(check + index));
    if (badFence >= 0) conflicts.set(call, { kind: "fence", index: badFence });
    else if (badCheck >= 0)
      conflicts.set(call, { kind: "check", index: badCheck, version: badChecks.get(check + badCheck) as number });
    fence += call.fences.length;
    check += call.checks.length;
  }
  return conflicts;
}
