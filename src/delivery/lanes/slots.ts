/** How many deliveries may run at once. */
export interface Slots {
  readonly size: number;
  /** How many are taken now. */
  taken(): number;
  /** Takes one; false when there is none, and then `wake` is called once, when one is free. */
  take(wake: () => void): boolean;
  give(): void;
}

/** Slots that are given in the order in which they were asked for. */
export function createSlots(size: number): Slots {
  let taken = 0;
  const waiting = new Set<() => void>();

  /** Whoever is woken may have nothing to run any more: then the slot is the next one's. */
  function wakeNext(): void {
    while (taken < size && waiting.size > 0) {
      const [wake] = waiting;
      waiting.delete(wake as () => void);
      (wake as () => void)();
    }
  }

  return {
    size,
    taken: () => taken,
    take(wake) {
      if (taken < size) {
        taken += 1;
        return true;
      }
      waiting.add(wake);
      return false;
    },
    give() {
      taken -= 1;
      if (waiting.size > 0) queueMicrotask(wakeNext);
    },
  };
}
