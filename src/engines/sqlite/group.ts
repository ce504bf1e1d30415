import type { CancelTimer } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Connection, Statement } from "./binding.ts";
import { diskFailed, toTidingsError } from "./failure.ts";
import type { TidingsError } from "../../errors/tidings-error.ts";
import type { Member } from "./members.ts";
import type { Settings } from "./options.ts";
import { setAndReadBack } from "./pragma.ts";
import { expire, recover, rejectAll } from "./recover.ts";
import type { Writer } from "./writer.ts";

/** What a committer works with. */
export interface CommitterParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly connection: Connection;
  readonly writer: Writer;
  /** Looks inside the transaction whether others have written, before anything of the group is. */
  readonly noticeOthers: () => boolean;
  /** Why no group may be committed now: text when one may be soon, else the error to refuse with; undefined when one may. */
  readonly heldBack: () => string | Error | undefined;
  /** Called after each commit that wrote something; `bytes`: about how much. */
  readonly committed: (logs: readonly number[], collections: readonly string[], bytes: number) => void;
}

/** What is queued, and how the last groups went. */
export interface State {
  queue: Member[];
  /** Calls whose group is committed and that are not answered yet, and with what those of them are that were refused. */
  unanswered: Member[];
  refused: ReadonlyMap<Member, Error>;
  /** The monotonic time at which calls of this turn came. */
  stampMs: number | undefined;
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
  /** Ends the time that a queue of patient calls is given to find company. */
  cancelLinger: CancelTimer | undefined;
  idle: (() => void)[];
}

/** Nothing queued. Whoever had the file before may have left commits that are not synced. */
export function newState(): State {
  return {
    queue: [], unanswered: [], refused: new Map(), stampMs: undefined, scheduled: false, alone: 0, tries: 0, full: undefined, failed: undefined,
    unsynced: true, durable: true, commits: 0, unpark: undefined, cancelLinger: undefined, idle: [],
  }; // prettier-ignore
}

/** What the log grows by with each group, and with each row that is not an event, roughly: some pages. */
const groupBytes = 4 * 4096;
const rowBytes = 4096;

/** How many members are gathered between two looks at the clock. */
const clockEvery = 16;
/** How many calls are answered in one turn of the event loop: what their callers do next all happens in that turn. */
const answersMax = 128;

/** How a group is tried again. */
export interface Again {
  /** Soon, after a pause that grows. */
  readonly later: () => void;
  /** When somebody calls `wake`. */
  readonly park: () => void;
}

/** Statements of every group. */
export type Sql = Readonly<Record<"begin" | "commit" | "touch", Statement>>;

/** Commits one group of what is queued. */
export function commitGroup(parts: CommitterParts, state: State, sql: Sql, { later, park }: Again): void {
  const held = parts.heldBack();
  if (held instanceof Error) return rejectAll(state, held);
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
function gather(
  { platform, settings, connection, writer }: CommitterParts,
  state: State,
  taken: Member[],
  refused: Map<Member, Error>,
): void {
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
    if (member.userSql && !connection.inTransaction()) throw refusal ?? new Error("The transaction ended by itself.");
  }
}

function rollBack({ connection, settings }: CommitterParts, state: State): void {
  try {
    connection.exec("ROLLBACK");
  } catch (cause) {
    state.failed ??= diskFailed(settings.path, "a transaction could not be rolled back", cause);
  }
}

function finish(parts: CommitterParts, state: State, taken: Member[], refused: ReadonlyMap<Member, Error>): void {
  const { writer } = parts;
  state.queue.splice(0, taken.length);
  state.alone = Math.max(0, state.alone - taken.length);
  state.tries = 0;
  state.commits++;
  const { wrote } = writer;
  const logs = writer.appender.committed();
  if (wrote) {
    state.full = undefined;
    state.unsynced = !state.durable;
  }
  let bytes = groupBytes;
  for (const member of taken) bytes += member.bytes + member.rows * rowBytes;
  state.unanswered = taken;
  state.refused = refused;
  answer(parts, state);
  if (wrote) parts.committed(logs, [...writer.collections], bytes);
}

/** Answers the next calls of a committed group; the others have to wait for the next turn. */
export function answer({ settings }: CommitterParts, state: State): void {
  const { refused } = state;
  for (const member of state.unanswered.splice(0, answersMax)) {
    const refusal = refused.size > 0 ? refused.get(member) : undefined;
    if (refusal) member.reject(toTidingsError(refusal, settings.path));
    else member.settle();
  }
}
