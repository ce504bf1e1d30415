import type { Delivery } from "./delivery.ts";
import type { HotDocuments } from "./hot-documents.ts";
import type { Lane } from "./lane.ts";

/** The turns of one partition's deliveries at hot documents. */
export class HotTurns {
  readonly #documents: HotDocuments;
  readonly #goOn: (lane: Lane) => void;
  /** Those whose turn it is. */
  readonly #hot = new Set<Delivery>();
  #stopped = false;

  constructor(documents: HotDocuments, goOn: (lane: Lane) => void) {
    this.#documents = documents;
    this.#goOn = goOn;
  }

  /** Lets the lane wait until it is the delivery's turn at the document that changed under it. */
  queueUp(delivery: Delivery, changed: string): void {
    if (delivery.hot === changed) return;
    this.leave(delivery);
    const lane = delivery.lane as Lane;
    lane.blocked = delivery;
    this.#documents.enter(changed, () => {
      // Others wait behind it, perhaps in partitions that go on. And an earlier one of its lane, which has to run again
      // before it, may wait for somebody who waits for this document.
      if (this.#stopped || lane.blocked !== delivery) return this.#documents.leave(changed);
      delivery.hot = changed;
      this.#hot.add(delivery);
      lane.blocked = undefined;
      this.#goOn(lane);
    });
  }

  /** Goes on when it is the turn of a held event, which has no lane that could wait. */
  await(delivery: Delivery, changed: string, goOn: () => void): void {
    if (delivery.hot === changed) return goOn();
    this.leave(delivery);
    this.#documents.enter(changed, () => {
      // Whoever owns the partition next runs it.
      if (this.#stopped) return this.#documents.leave(changed);
      delivery.hot = changed;
      this.#hot.add(delivery);
      goOn();
    });
  }

  /** The delivery's turn, if it has one, is over. */
  leave(delivery: Delivery): void {
    if (delivery.hot === undefined) return;
    this.#hot.delete(delivery);
    this.#documents.leave(delivery.hot);
    delivery.hot = undefined;
  }

  /** Whether any of them is committed yet is open: nobody shall wait for that. */
  stop(): void {
    this.#stopped = true;
    for (const delivery of Array.from(this.#hot)) this.leave(delivery);
  }
}
