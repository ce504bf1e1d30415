import type { Committer } from "../commit/committer.ts";
import type { Delivery } from "./delivery.ts";

/**
 * At most once, a delivery is settled as unknown before it begins, and only then: what has begun never begins again, and what
 * waits in its lane has not begun.
 */
export class AtMostOnce {
  readonly #committer: Committer;
  readonly #begin: (delivery: Delivery) => void;
  readonly #settling = new Set<Delivery>();

  constructor(committer: Committer, begin: (delivery: Delivery) => void) {
    this.#committer = committer;
    this.#begin = begin;
  }

  /** Whether it may begin now; if not, it is being settled, and begun afterwards. */
  mayBegin(delivery: Delivery): boolean {
    if (delivery.held || delivery.as === "unknown") return true;
    const { identity } = delivery;
    this.#settling.add(delivery);
    const goOn = (): void => {
      this.#settling.delete(delivery);
      delivery.identity = undefined;
      this.#begin(delivery);
    };
    this.#committer.add({
      position: delivery.position,
      as: "unknown",
      counts: undefined,
      writes: identity && { timers: [identity], bytes: 100 },
      durable: true,
      committed: () => {
        delivery.as = "unknown";
        goOn();
      },
      conflicted() {},
      // What the inbox does not take cannot be told from its duplicates: it fails with that, without its handler, and is settled first.
      refused: (error) => {
        delivery.commitError = error;
        goOn();
      },
    });
    return false;
  }

  /** What will not be settled any more. */
  giveUp(): readonly Delivery[] {
    const open = [...this.#settling];
    this.#settling.clear();
    return open;
  }
}
