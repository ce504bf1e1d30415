import type { CancelTimer, Clock } from "../../platform/clock.ts";

/** Something that must end in time. */
interface Running {
  readonly dueAt: number;
  readonly expire: () => void;
}

/** Watches the running handlers. One timer for all of them: a timer for each would cost more than most handlers. */
export interface Deadlines {
  /** Calls `expire` about when `timeoutMs` have passed, unless the returned function was called before. */
  watch(timeoutMs: number, expire: () => void): () => void;
}

export function createDeadlines(clock: Clock): Deadlines {
  const running = new Set<Running>();
  let cancel: CancelTimer | undefined;
  let armedFor = Number.POSITIVE_INFINITY;

  function arm(dueAt: number): void {
    if (dueAt >= armedFor) return;
    cancel?.();
    armedFor = dueAt;
    cancel = clock.after(Math.max(1, dueAt - clock.monotonic()), sweep, true);
  }

  function sweep(): void {
    cancel = undefined;
    armedFor = Number.POSITIVE_INFINITY;
    const now = clock.monotonic();
    let earliest = Number.POSITIVE_INFINITY;
    for (const entry of running) {
      if (entry.dueAt <= now) {
        running.delete(entry);
        entry.expire();
      } else earliest = Math.min(earliest, entry.dueAt);
    }
    if (earliest < Number.POSITIVE_INFINITY) arm(earliest);
  }

  return {
    watch(timeoutMs, expire) {
      const entry = { dueAt: clock.monotonic() + timeoutMs, expire };
      running.add(entry);
      arm(entry.dueAt);
      return () => {
        running.delete(entry);
        if (running.size > 0 || !cancel) return;
        // Leave no timer behind that could wake an idle process or a virtual clock; the next watch arms again.
        if (entry.dueAt === armedFor) {
          cancel();
          cancel = undefined;
          armedFor = Number.POSITIVE_INFINITY;
        }
      };
    },
  };
}
