import type { Delivery } from "./delivery.ts";

/** The deliveries of one key: in order, one at a time. */
export class Lane {
  /** Null for an event without a key, which has a lane to itself. */
  readonly key: string | null;
  /** Waiting to run. */
  queue: Delivery[] = [];
  running: Delivery | undefined;
  /** Ended, in order, and not committed yet. */
  uncommitted: Delivery[] = [];
  /** To be run again, in order, as soon as the running one has ended. */
  again: Delivery[] = [];
  ready = false;
  /** The first delivery, while it waits for its turn at a hot document. */
  blocked: Delivery | undefined;
  #waiters: { readonly behind: Delivery; readonly wake: () => void }[] = [];

  constructor(key: string | null) {
    this.key = key;
  }

  get idle(): boolean {
    return (
      this.running === undefined && this.queue.length === 0 && this.uncommitted.length === 0 && this.again.length === 0
    );
  }

  /** Whether one of its deliveries runs or is not committed yet. */
  get busy(): boolean {
    return this.running !== undefined || this.uncommitted.length > 0;
  }

  /** Resolves when the last uncommitted delivery that writes this document is committed or taken back; undefined when there is none. */
  writtenBy(collection: string, key: string): Promise<void> | undefined {
    const writer = this.uncommitted.findLast(({ writes }) =>
      writes?.documents?.some((write) => write.collection === collection && write.key === key),
    );
    return writer && this.#after(writer);
  }

  /** Resolves when nothing of the lane is uncommitted; undefined when that is so already. */
  committedSoFar(): Promise<void> | undefined {
    const last = this.uncommitted.at(-1);
    return last && this.#after(last);
  }

  /** The first delivery runs from now on. */
  start(): void {
    this.running = this.queue.shift();
  }

  /** The delivery is committed. */
  committed(delivery: Delivery): void {
    if (this.uncommitted[0] === delivery) this.uncommitted.shift();
    else this.uncommitted = this.uncommitted.filter((other) => other !== delivery);
    if (this.#waiters.length > 0) this.#wake((behind) => behind === delivery);
  }

  /** Takes back this one and every later one that is not committed, in order. Earlier ones have not read what they wrote. */
  takeBack(from: Delivery): Delivery[] {
    const first = this.uncommitted.indexOf(from);
    if (first === -1) return [];
    const taken = this.uncommitted.splice(first);
    this.#wake((behind) => taken.includes(behind));
    return taken;
  }

  /** Nothing of it will be committed any more: nobody shall wait for that. */
  wakeAll(): void {
    this.#wake(() => true);
  }

  #wake(which: (behind: Delivery) => boolean): void {
    const woken = this.#waiters.filter(({ behind }) => which(behind));
    this.#waiters = this.#waiters.filter(({ behind }) => !which(behind));
    for (const { wake } of woken) wake();
  }

  #after(behind: Delivery): Promise<void> {
    return new Promise((wake) => this.#waiters.push({ behind, wake }));
  }
}
