import { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Connection, Statement } from "./binding.ts";
import { describeFailure, diskFull, failureKind, toTidingsError } from "./failure.ts";
import type { Member } from "./members.ts";
import type { Settings } from "./options.ts";
import { setAndReadBack } from "./pragma.ts";
import { backOff } from "./retry.ts";
import type { Writer } from "./writer.ts";

/** What a committer works with. */
export interface CommitterParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly connection: Connection;
  readonly writer: Writer;
  /** Looks inside the transaction whether others have written, before anything of the group is. */
  readonly noticeOthers: () => boolean;
  /** Why no group may be committed now; undefined when one may. */
  readonly heldBack: () => string | undefined;
  /** Called after each commit that wrote something, before its members are answered. */
  readonly committed: (logs: readonly number[], collections: readonly string[], bytes: number) => void;
}

/** Gathers calls into group commits. */
export interface Committer {
  submit(member: Member): void;
  /** Looks again whether a group may be committed. */
  wake(): void;
  /** Resolves when every call that was submitted is answered. */
  drained(): Promise<void>;
  /** Stops writing for good. */
  fail(reason: string, cause?: unknown): void;
  /** Whether writing has stopped for good. */
  failed(): boolean;
  /** Why nothing can be written now. */
  trouble(): string | undefined;
  /** Groups that were committed. */
  commits(): number;
}

interface State {
  queue: Member[];
  scheduled: boolean;
  /** How many of the next members are tried one by one, after a group of them has failed. */
  alone: number;
  tries: number;
  full: unknown;
  failed: TidingsError | undefined;
  /** Whether commits may have been written that are not synced. */
  unsynced: boolean;
  /** Whether the group at hand is answered after a sync. */
  durable: boolean;
  commits: number;
  /** Ends the waiting of a group that is held back. */
  unpark: (() => void) | undefined;
  idle: (() => void)[];
}

/** So often a group that is held back looks for members that have waited too long. */
const parkedMs = 50;

/** How many members are gathered between two looks at the clock. */
const clockEvery = 16;

/**
 * One transaction and one sync for all calls that wait, on the thread that called: groups are kept small, so that
 * the event loop never stands still for longer than one group and its sync take.
 */
export function committerOf(parts: CommitterParts): Committer {
  const { platform, connection } = parts;
  const state: State = {
    queue: [], scheduled: false, alone: 0, tries: 0, full: undefined, failed: undefined,
    unsynced: true, durable: true, commits: 0, unpark: undefined, idle: [],
  }; // prettier-ignore
  const sql = {
    begin: connection.prepare("BEGIN IMMEDIATE"),
    commit: connection.prepare("COMMIT"),
    touch: connection.prepare("INSERT INTO tidings_counter (name, value) VALUES ('sync', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"),
  };
  const schedule = (): void => {
    if (state.scheduled || state.queue.length === 0) return;
    state.scheduled = true;
    platform.clock.soon(run);
  };

  function run(): void {
    state.scheduled = false;
    state.unpark = undefined;
    if (state.failed) rejectAll(state, state.failed);
    else if (state.queue.length > 0) commitGroup(parts, state, sql, { later, park });
    if (state.queue.length > 0) schedule();
    else settleIdle(state);
  }

  /** Another look after a pause; meanwhile nothing else schedules one. */
  function later(): void {
    if (state.queue.length === 0) return;
    state.scheduled = true;
    backOff(platform, ++state.tries, run);
  }

  /** Waits until `wake`. */
  function park(): void {
    if (state.queue.length === 0) return;
    state.scheduled = true;
    const cancel = platform.clock.after(parkedMs, run);
    state.unpark = () => {
      cancel();
      state.scheduled = false;
      schedule();
    };
  }

  return {
    submit(member) {
      if (state.failed) return member.reject(state.failed);
      state.queue.push(member);
      schedule();
    },
    wake() {
      const { unpark } = state;
      state.unpark = undefined;
      unpark?.();
    },
    drained: () =>
      new Promise((resolve) => {
        if (state.queue.length === 0 && !state.scheduled) resolve();
        else state.idle.push(resolve);
      }),
    fail(reason, cause) {
      state.failed ??= diskFailed(parts.settings.path, reason, cause);
      schedule();
    },
    failed: () => state.failed !== undefined,
    trouble: () => state.failed?.message ?? (state.full === undefined ? undefined : diskFull(parts.settings.path, state.full).message),
    commits: () => state.commits,
  };
}

function settleIdle(state: State): void {
  for (const resolve of state.idle.splice(0)) resolve();
}

function rejectAll(state: State, error: Error): void {
  for (const member of state.queue.splice(0)) member.reject(error);
}

/** How a group is tried again. */
interface Again {
  /** Soon, after a pause that grows. */
  later(): void;
  /** When somebody calls `wake`. */
  park(): void;
}

type Sql = Readonly<Record<"begin" | "commit" | "touch", Statement>>;

function commitGroup(parts: CommitterParts, state: State, sql: Sql, { later, park }: Again): void {
  const held = parts.heldBack();
  if (held !== undefined) {
    expire(parts, state, held);
    return park();
  }
  const taken: Member[] = [];
  const refused = new Map<Member, Error>();
  let committing = false;
  try {
    begin(parts, state, sql);
    gather(parts, state, taken, refused);
    parts.writer.appender.flush();
    // Answers to durable calls may rest on commits that were not synced; only a commit that writes syncs them.
    if (state.durable && !parts.writer.wrote && state.unsynced) {
      sql.touch.run();
      parts.writer.wrote = true;
    }
    committing = true;
    sql.commit.run();
  } catch (error) {
    if (parts.connection.inTransaction()) rollBack(parts, state);
    restoreSync(parts, state);
    return recover({ parts, state, taken, refused, committing, later }, error);
  }
  restoreSync(parts, state);
  finish(parts, state, taken, refused);
}

/** Between groups the connection stands at FULL, always: what only needs to survive the process is the exception. */
function restoreSync({ connection, settings }: CommitterParts, state: State): void {
  if (state.durable) return;
  try {
    setAndReadBack(connection, "synchronous", 2);
  } catch (cause) {
    state.failed ??= diskFailed(settings.path, "SQLite does not go back to synchronous = FULL", cause);
  }
}

function begin({ connection, writer, platform, noticeOthers }: CommitterParts, state: State, sql: Sql): void {
  state.durable = state.queue.some(({ durable }) => durable);
  if (!state.durable) connection.exec("PRAGMA synchronous = NORMAL");
  sql.begin.run();
  if (noticeOthers()) state.unsynced = true;
  writer.nowMs = platform.clock.now();
  writer.wrote = false;
  writer.collections.clear();
  writer.logs.begin();
  writer.appender.begin(writer.nowMs);
}

/** Applies members until the group is large enough; each is in `taken` before anything of it is applied. */
function gather({ platform, settings, connection, writer }: CommitterParts, state: State, taken: Member[], refused: Map<Member, Error>): void {
  const until = platform.clock.monotonic() + settings.groupMsMax;
  let events = 0;
  let bytes = 0;
  for (const member of state.queue) {
    events += member.events;
    bytes += member.bytes;
    if (taken.length > 0) {
      if (state.alone > 0 || events > settings.groupEventsMax || bytes > settings.groupBytesMax) return;
      if (taken.length % clockEvery === 0 && platform.clock.monotonic() >= until) return;
    }
    taken.push(member);
    const refusal = member.apply(writer);
    if (refusal) refused.set(member, refusal);
    if (!connection.inTransaction()) throw refusal ?? new Error("The transaction ended by itself.");
  }
}

function rollBack({ connection, settings }: CommitterParts, state: State): void {
  try {
    connection.exec("ROLLBACK");
  } catch (cause) {
    state.failed ??= diskFailed(settings.path, "a transaction could not be rolled back", cause);
  }
}

function finish(parts: CommitterParts, state: State, taken: readonly Member[], refused: ReadonlyMap<Member, Error>): void {
  const { writer, settings } = parts;
  state.queue.splice(0, taken.length);
  state.alone = Math.max(0, state.alone - taken.length);
  state.tries = 0;
  state.commits++;
  if (writer.wrote) {
    state.full = undefined;
    state.unsynced = !state.durable;
    parts.committed(writer.appender.committed(), [...writer.collections], writer.appender.size().bytes);
  }
  for (const member of taken) {
    const refusal = refused.get(member);
    if (refusal) member.reject(toTidingsError(refusal, settings.path));
    else member.settle();
  }
}

interface Failure {
  readonly parts: CommitterParts;
  readonly state: State;
  readonly taken: readonly Member[];
  readonly refused: ReadonlyMap<Member, Error>;
  readonly committing: boolean;
  readonly later: () => void;
}

/** Nothing of the group took effect, unless the disk failed at the commit itself: then nobody knows. */
function recover({ parts, state, taken, refused, committing, later }: Failure, error: unknown): void {
  const { path } = parts.settings;
  const kind = failureKind(error);
  if (kind === "busy") {
    expire(parts, state, `Another process holds the lock of ${path}`);
    return later();
  }
  if (kind === "io") {
    state.failed ??= diskFailed(path, describeFailure(error), error);
    state.queue.splice(0, taken.length);
    const reason = committing ? unknownOutcome(path, error) : state.failed;
    for (const member of taken) member.reject(reason);
    return rejectAll(state, state.failed);
  }
  const culprit = taken.at(-1);
  const refusal = culprit && refused.get(culprit);
  if (kind === "full" || taken.length <= 1 || !culprit) {
    if (kind === "full") state.full = error;
    const reason = kind === "full" ? diskFull(path, error) : toTidingsError(error, path);
    for (const member of state.queue.splice(0, Math.max(1, taken.length))) member.reject(reason);
    state.alone = Math.max(0, state.alone - taken.length);
  } else if (refusal) {
    // It took the transaction down with it; the others begin again without it.
    state.queue.splice(taken.length - 1, 1);
    culprit.reject(toTidingsError(refusal, path));
  } else {
    state.alone = Math.max(state.alone, taken.length);
  }
}

/** Rejects what has waited too long. */
function expire({ platform, settings }: CommitterParts, state: State, why: string): void {
  const before = platform.clock.monotonic() - settings.busyTimeoutMs;
  const late = state.queue.filter(({ sinceMs }) => sinceMs <= before);
  if (late.length === 0) return;
  state.queue = state.queue.filter(({ sinceMs }) => sinceMs > before);
  const error = new TidingsError("TIDINGS_BUSY", `${why}; nothing was written for ${settings.busyTimeoutMs} ms. Try again.`, {
    details: { path: settings.path, waitedMs: settings.busyTimeoutMs },
  });
  for (const member of late) member.reject(error);
}

function diskFailed(path: string, reason: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_DISK_FAILED",
    `Writing ${path} has stopped for good: ${reason}. Reading goes on; look at the system's log, mend the disk, then restart.`,
    { cause, details: { path } },
  );
}

function unknownOutcome(path: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    `The disk failed while a commit to ${path} was synced (${describeFailure(cause)}): it may or may not be there after a restart.`,
    { cause, details: { path } },
  );
}
