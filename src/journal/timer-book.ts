import type { Timer, Timers } from "../ports/timers.ts";
import type { TimerWrite } from "../ports/transaction.ts";

/** The timers of a replica. There are few, so they are sorted when somebody asks. */
export class TimerBook {
  readonly #queues = new Map<string, Map<string, Timer>>();
  /** One counter for all: a key that was cancelled and set again must not come back with a version it had. */
  #versions = 0;

  write({ queue, key, dueAtMs, payload = "", version }: TimerWrite): void {
    let timers = this.#queues.get(queue);
    if (dueAtMs === null) {
      const known = timers?.get(key);
      if (!known || (version !== undefined && version !== known.version)) return;
      timers?.delete(key);
      if (timers?.size === 0) this.#queues.delete(queue);
      return;
    }
    if (!timers) this.#queues.set(queue, (timers = new Map()));
    timers.set(key, Object.freeze({ queue, key, dueAtMs, payload, version: (this.#versions += 1) }));
  }

  due(queue: string, atMs: number, limit: number): readonly Timer[] {
    return this.#byDue(queue)
      .filter(({ dueAtMs }) => dueAtMs <= atMs)
      .slice(0, Math.max(0, limit));
  }

  nextDueAt(queue: string): number | undefined {
    return this.#byDue(queue)[0]?.dueAtMs;
  }

  find(queue: string, key: string): Timer | undefined {
    return this.#queues.get(queue)?.get(key);
  }

  list(queue: string, { after, limit }: Parameters<Timers["list"]>[1]): readonly Timer[] {
    return [...(this.#queues.get(queue)?.values() ?? [])]
      .filter(({ key }) => after === undefined || key > after)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, Math.max(0, limit));
  }

  dump(): { readonly versions: number; readonly timers: readonly Timer[] } {
    return { versions: this.#versions, timers: [...this.#queues.values()].flatMap((timers) => [...timers.values()]) };
  }

  static restore({ versions, timers }: ReturnType<TimerBook["dump"]>): TimerBook {
    const book = new TimerBook();
    book.#versions = versions;
    for (const timer of timers) {
      let found = book.#queues.get(timer.queue);
      if (!found) book.#queues.set(timer.queue, (found = new Map()));
      found.set(timer.key, Object.freeze({ ...timer }));
    }
    return book;
  }

  /** Earliest first; of the same instant, the one that was set first. */
  #byDue(queue: string): Timer[] {
    const timers = [...(this.#queues.get(queue)?.values() ?? [])];
    return timers.sort((a, b) => a.dueAtMs - b.dueAtMs || a.version - b.version);
  }
}
