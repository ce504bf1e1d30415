import type { Clock } from "../../platform/clock.ts";
import type { Connection } from "./binding.ts";
import { diskFailed, diskFull } from "./failure.ts";
import { answer, type CommitterParts, commitGroup, newState, type Sql, type State } from "./group.ts";
import type { Member } from "./members.ts";
import { rejectAll } from "./recover.ts";
import { backOff } from "./retry.ts";

/** Gathers calls into group commits. */
export interface Committer {
  submit(member: Member): void;
  /** When a call comes, by the monotonic clock, which is read once a turn. */
  stampMs(): number;
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

/** So often a group that is held back looks for members that have waited too long. */
const parkedMs = 50;
/** How long patient calls wait for company, in milliseconds, and how many of them wait no longer. */
const lingerMs = 4;
const lingerMax = 16;

/**
 * One transaction and one sync for all calls that wait, on the thread that called: groups are kept small, so that
 * the event loop never stands still for longer than one group and its sync take.
 */
export function committerOf(parts: CommitterParts): Committer {
  const { platform, connection } = parts;
  const state = newState();
  const sql = groupSql(connection);
  const schedule = (): void => scheduleRun(state, platform.clock, run);

  function run(): void {
    state.scheduled = false;
    state.unpark = undefined;
    state.stampMs = undefined;
    if (state.unanswered.length > 0) answer(parts, state);
    else if (state.failed) rejectAll(state, state.failed);
    else if (state.queue.length > 0) commitGroup(parts, state, sql, { later, park });
    if (isAtWork(state)) schedule();
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
      if (member.patient) linger(state, platform.clock, schedule);
      else schedule();
    },
    stampMs() {
      if (state.tries > 0 || state.unpark) return platform.clock.monotonic();
      return (state.stampMs ??= platform.clock.monotonic());
    },
    wake() {
      const { unpark } = state;
      state.unpark = undefined;
      unpark?.();
    },
    drained: () =>
      new Promise((resolve) => {
        if (!isAtWork(state) && !state.scheduled) return resolve();
        state.idle.push(resolve);
        schedule();
      }),
    fail(reason, cause) {
      state.failed ??= diskFailed(parts.settings.path, reason, cause);
      schedule();
    },
    failed: () => state.failed !== undefined,
    trouble: () =>
      state.failed?.message ??
      (state.full === undefined ? undefined : diskFull(parts.settings.path, state.full).message),
    commits: () => state.commits,
  };
}

/** Whether calls wait for their group, or for their answer. */
function isAtWork({ queue, unanswered }: State): boolean {
  return queue.length > 0 || unanswered.length > 0;
}

function scheduleRun(state: State, clock: Clock, run: () => void): void {
  if (state.scheduled || !isAtWork(state)) return;
  state.cancelLinger?.();
  state.cancelLinger = undefined;
  state.scheduled = true;
  clock.soon(run);
}

/** Calls that nobody waits for are given a moment to find company with which they share a sync. */
function linger(state: State, clock: Clock, schedule: () => void): void {
  if (state.queue.length >= lingerMax) schedule();
  else if (!state.scheduled) state.cancelLinger ??= clock.after(lingerMs, schedule);
}

function groupSql(connection: Connection): Sql {
  return {
    begin: connection.prepare("BEGIN IMMEDIATE"),
    commit: connection.prepare("COMMIT"),
    touch: connection.prepare(
      "INSERT INTO tidings_counter (name, value) VALUES ('sync', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
    ),
  };
}

function settleIdle(state: State): void {
  for (const resolve of state.idle.splice(0)) resolve();
}
