/**
 * Documents over which deliveries of different keys have collided in this process. A delivery that must run again because a
 * document changed under it waits here until nobody before it is about to write that document: so a hot document costs a
 * queue and not a storm of retries. Each delivery waits for at most one document, so nobody waits in a circle.
 */
export interface HotDocuments {
  /** Calls `granted` when it is this one's turn; at once when nobody is before it. */
  enter(document: string, granted: () => void): void;
  leave(document: string): void;
}

export function createHotDocuments(): HotDocuments {
  /** By document: whose turn it is, and who waits. */
  const queues = new Map<string, (() => void)[]>();
  return {
    enter(document, granted) {
      const queue = queues.get(document);
      if (queue) {
        queue.push(granted);
        return;
      }
      queues.set(document, []);
      granted();
    },
    leave(document) {
      const next = queues.get(document)?.shift();
      if (next) queueMicrotask(next);
      else queues.delete(document);
    },
  };
}
