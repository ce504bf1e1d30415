import { TidingsError } from "../../errors/tidings-error.ts";
import { describeFailure, diskFailed, diskFull, failureKind, toTidingsError, unknownOutcome } from "./failure.ts";
import type { CommitterParts, State } from "./group.ts";
import type { Member } from "./members.ts";

/** A group that did not commit. */
export interface Failure {
  readonly parts: CommitterParts;
  readonly state: State;
  readonly taken: readonly Member[];
  readonly refused: ReadonlyMap<Member, Error>;
  readonly committing: boolean;
  readonly later: () => void;
}

/** Nothing of the group took effect, unless the disk failed at the commit itself: then nobody knows. */
export function recover({ parts, state, taken, refused, committing, later }: Failure, error: unknown): void {
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
export function expire({ platform, settings }: CommitterParts, state: State, why: string): void {
  const before = platform.clock.monotonic() - settings.busyTimeoutMs;
  const late = state.queue.filter(({ sinceMs }) => sinceMs <= before);
  if (late.length === 0) return;
  state.queue = state.queue.filter(({ sinceMs }) => sinceMs > before);
  const error = new TidingsError(
    "TIDINGS_BUSY",
    `${why}; nothing was written for ${settings.busyTimeoutMs} ms. Try again.`,
    {
      details: { path: settings.path, waitedMs: settings.busyTimeoutMs },
    },
  );
  for (const member of late) member.reject(error);
}

/** Rejects everything that is queued. */
export function rejectAll(state: State, error: Error): void {
  for (const member of state.queue.splice(0)) member.reject(error);
}
