/**
 * After a crash the deliveries that may have caused it run one at a time in this process, and nothing else
 * runs meanwhile: so a death during such a run has one possible cause, and innocents are not blamed.
 */
export interface SoloGate {
  /** Whether ordinary deliveries may start; if not, `wake` is called once they may. */
  open(wake: () => void): boolean;
  /** Announces suspects; ordinary deliveries wait until `leave` was called as often. */
  enter(): void;
  leave(): void;
  /** Runs alone, after the runs that asked before. */
  alone(run: () => Promise<void>): Promise<void>;
}

export function createSoloGate(): SoloGate {
  let suspects = 0;
  let last: Promise<void> = Promise.resolve();
  const waiting = new Set<() => void>();
  return {
    open(wake) {
      if (suspects === 0) return true;
      waiting.add(wake);
      return false;
    },
    enter() {
      suspects += 1;
    },
    leave() {
      suspects -= 1;
      if (suspects > 0) return;
      const woken = [...waiting];
      waiting.clear();
      for (const wake of woken) queueMicrotask(wake);
    },
    alone(run) {
      const mine = last.then(run);
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}
