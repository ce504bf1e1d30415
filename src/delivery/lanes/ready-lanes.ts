import type { Lane } from "./lane.ts";

/** The lanes of which the first delivery may start, in the order in which they became ready. */
export class ReadyLanes {
  #lanes: Lane[] = [];
  /** Those before it have left. */
  #head = 0;

  /** Notes a lane, unless it is noted already or its first delivery has to wait. */
  add(lane: Lane): void {
    if (lane.ready || lane.blocked || lane.running || lane.queue.length === 0) return;
    lane.ready = true;
    this.#lanes.push(lane);
  }

  /** The lane whose turn it is; it stays until `shift`. */
  first(): Lane | undefined {
    return this.#lanes[this.#head];
  }

  shift(): void {
    (this.#lanes[this.#head++] as Lane).ready = false;
    // Seldom, since moving those that stay costs as much as they are.
    if (this.#head <= 256 || this.#head * 2 < this.#lanes.length) return;
    this.#lanes = this.#lanes.slice(this.#head);
    this.#head = 0;
  }
}
