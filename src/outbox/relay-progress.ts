import type { Engine } from "../ports/engine.ts";
import type { DocumentWrite, Fence } from "../ports/transaction.ts";
import { outboxCollections, type RelayPosition } from "./documents.ts";

/** What the progress of a relay works with. */
export interface RelayProgressOptions {
  readonly store: Engine;
  readonly partition: number;
  readonly fence: Fence;
  /** Another member has taken over. */
  readonly onLost: () => void;
}

/**
 * How far a partition of an outbox is sent. It is written behind the sending, one write at a time and the latest number only, and
 * need not survive the power's loss: what was sent after it is sent again, and dropped.
 */
export class RelayProgress {
  readonly #options: RelayProgressOptions;
  readonly #key: string;
  #position: RelayPosition = { next: 0, retries: 0 };
  /** As it stands in the store. */
  #written: RelayPosition = this.#position;
  #writing: Promise<void> | undefined;
  #unsure = false;

  constructor(options: RelayProgressOptions) {
    this.#options = options;
    this.#key = String(options.partition);
  }

  /** Reads where the last owner has left off, or this one itself: the position of the next row. */
  async load(): Promise<number> {
    const [found] = (await this.#options.store.state?.get(outboxCollections.positions, [this.#key])) ?? [];
    if (found) {
      const { next, retries } = (this.#written = JSON.parse(found.value) as RelayPosition);
      const { next: ownNext, retries: ownRetries } = this.#position;
      const isBehind = next < ownNext || retries < ownRetries;
      this.#position = isBehind
        ? { next: Math.max(next, ownNext), retries: Math.max(retries, ownRetries) }
        : this.#written;
    }
    this.#unsure = false;
    return this.#position.next;
  }

  /** Whether a commit has failed, so that what stands in the store may be more than is known here; until the next `load`. */
  get unsure(): boolean {
    return this.#unsure;
  }

  /** Says in the store that everything before `next` is sent, soon. */
  save(next: number): void {
    if (next !== this.#position.next) this.#position = { ...this.#position, next };
    if (this.#written !== this.#position) this.#writing ??= this.#write();
  }

  /** Resolves when everything that was to be said is said, or cannot be. Never rejects. */
  async saved(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /**
   * Commits documents of this relay, with how far it is and which number of the stream of retries comes next where that changes.
   * Rejects when the store fails; false when another member has taken over.
   */
  async commit(documents: readonly DocumentWrite[], changes: Partial<RelayPosition> = {}): Promise<boolean> {
    await this.saved();
    const position = { ...this.#position, ...changes };
    const own = Object.keys(changes).length > 0 ? [this.#documentOf(position)] : [];
    // A number is given once, also when nobody knows whether it was written.
    if (changes.retries !== undefined) this.#position = { ...this.#position, retries: changes.retries };
    let committed;
    try {
      committed = await this.#transact([...documents, ...own], true);
    } catch (error) {
      this.#unsure = true;
      throw error;
    }
    if (committed && own.length > 0) this.#position = this.#written = position;
    return committed;
  }

  /** Everything before this position is sent or parked, and that stands in the store with the next commit at the latest. */
  get next(): number {
    return this.#position.next;
  }

  /** The next number of the stream of retries. */
  get retries(): number {
    return this.#position.retries;
  }

  /** Never rejects: what cannot be written now is written with the next number, or when it is asked for again. */
  async #write(): Promise<void> {
    while (this.#written !== this.#position) {
      const position = this.#position;
      const isWritten = await this.#transact([this.#documentOf(position)], false).catch(() => false);
      if (!isWritten) break;
      this.#written = position;
    }
    this.#writing = undefined;
  }

  #documentOf(position: RelayPosition): DocumentWrite {
    return { collection: outboxCollections.positions, key: this.#key, value: JSON.stringify(position) };
  }

  async #transact(documents: readonly DocumentWrite[], durable: boolean): Promise<boolean> {
    const { store, fence, onLost } = this.#options;
    const outcome = await store.transact?.({ fences: [fence], documents, durable });
    if (outcome?.committed === false) onLost();
    return outcome?.committed ?? false;
  }
}
