import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { CancelTimer, Clock } from "../../platform/clock.ts";

/** What looks out for commits of others. */
export interface LookoutParts {
  readonly clock: Clock;
  readonly realPath: string;
  readonly pollMs: number;
  /** Looks whether another connection has committed. */
  readonly lookAround: () => void;
}

/** The folder's news come when another process writes, a little before it commits: look again for so long. */
const eagerMs = 20;
const eagerPollMs = 1;

/** Looks out for commits of others. */
export interface Lookout {
  start(): void;
  stop(): void;
  ownCommit(): void;
}

/** Looks around at intervals, and often for a moment after the folder's news. */
export function lookoutOf({ clock, realPath, pollMs, lookAround }: LookoutParts): Lookout {
  let watcher: FSWatcher | undefined;
  let cancel: CancelTimer | undefined;
  let running = false;
  let eagerUntil = 0;
  let ownCommitMs = Number.NEGATIVE_INFINITY;

  function arm(): void {
    cancel?.();
    const delay = clock.monotonic() < eagerUntil ? eagerPollMs : pollMs;
    cancel = clock.after(delay, look, true);
  }

  function look(): void {
    if (!running) return;
    lookAround();
    if (running) arm();
  }

  function news(_event: string, file: string | null): void {
    const now = clock.monotonic();
    // Our own commits make news, too, and each of them looks around by itself.
    if (!running || (file !== null && file !== `${basename(realPath)}-wal`) || now - ownCommitMs < 2) return;
    const eager = now < eagerUntil;
    eagerUntil = now + eagerMs;
    if (!eager) look();
  }

  return {
    start() {
      if (running) return;
      running = true;
      arm();
      try {
        watcher = watch(dirname(realPath), { persistent: false }, news);
        // Folders that cannot be watched any longer leave the poll.
        watcher.on("error", () => watcher?.close());
      } catch {
        watcher = undefined;
      }
    },
    stop() {
      running = false;
      cancel?.();
      watcher?.close();
      watcher = undefined;
    },
    ownCommit() {
      ownCommitMs = clock.monotonic();
    },
  };
}
