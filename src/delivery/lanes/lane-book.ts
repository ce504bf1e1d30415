import { Lane } from "./lane.ts";

/** So many idle lanes are kept for the next event of their key: making one costs more than running a short handler. */
const idleMax = 256;

/** The lanes of a partition, by key. */
export class LaneBook {
  readonly #lanes = new Map<string, Lane>();

  /** The lane of a key; for an event without one, a lane to itself. */
  of(key: string | null): Lane {
    if (key === null) return new Lane(null);
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = new Lane(key);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** The lane of a key, if it has one; it may be idle. */
  find(key: string | null): Lane | undefined {
    return key === null ? undefined : this.#lanes.get(key);
  }

  /** Something of the lane has come to its end: it may be needed no more. */
  leave(lane: Lane): void {
    if (lane.key !== null && this.#lanes.size > idleMax && lane.idle && this.#lanes.get(lane.key) === lane)
      this.#lanes.delete(lane.key);
  }

  /** The next event of its key begins a new lane. */
  close(lane: Lane): void {
    if (lane.key !== null) this.#lanes.delete(lane.key);
  }

  all(): Iterable<Lane> {
    return this.#lanes.values();
  }
}
