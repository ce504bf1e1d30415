// What the peers on the plain clients of brokers share.

/** As many partitions as a topic of tidings has by default. */
export const partitionsOfRaw = [0, 1, 2, 3] as const;

/** A cheap hash of the key, as one writes it by hand. */
export function rawPartition(key: string): number {
  let hash = 0;
  for (let n = 0; n < key.length; n++) hash = (hash * 31 + key.charCodeAt(n)) | 0;
  return (hash >>> 0) % partitionsOfRaw.length;
}

/** Lets one thing happen at a time in each partition, in the order they come. What rejects ends the process. */
export function oneAtATime() {
  const last: Promise<void>[] = partitionsOfRaw.map(() => Promise.resolve());
  return {
    next(partition: number, act: () => Promise<void>): void {
      last[partition] = (last[partition] ?? Promise.resolve()).then(act);
    },
    /** Resolves when all of it has happened. */
    async done(): Promise<void> {
      await Promise.all(last);
    },
  };
}

/**
 * Notes how far each partition is by `store`, one call at a time, with all that came meanwhile in the next one. The first
 * call is made when what is handled in this turn of the event loop is handled: behind each page.
 */
export function noting<Position>(store: (positions: ReadonlyMap<number, Position>) => Promise<unknown>) {
  let moved = new Map<number, Position>();
  let storing: Promise<void> | undefined;
  const loop = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    while (moved.size > 0) {
      const positions = moved;
      moved = new Map();
      await store(positions);
    }
    storing = undefined;
  };
  return {
    /** This position of the partition is handled. */
    handled(partition: number, position: Position): void {
      moved.set(partition, position);
      storing ??= loop();
    },
    /** Resolves when everything is noted. */
    async done(): Promise<void> {
      await storing;
    },
  };
}
