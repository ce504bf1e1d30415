import type { CancelTimer } from "../../platform/clock.ts";
import { admit, enterNow, refusing, stopWaiting } from "../guards/entrance.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Delivery } from "./delivery.ts";
import type { Lane } from "./lane.ts";

/** What the door of a partition works with. */
export interface DoorOptions {
  readonly runtime: SubscriptionRuntime;
  readonly held: HeldKeys;
  /** Whether nothing more is fetched until something is settled. */
  readonly isFull: () => boolean;
  /** The first delivery of the lane may have a chance now. */
  readonly wake: (lane: Lane) => void;
  /** The lane is empty, and its key held. */
  readonly close: (lane: Lane) => void;
}

/** So long a lane waits in memory at least, in milliseconds. */
const patienceMs = 1000;

/**
 * Before it lanes wait until the guards of their first delivery let it start. While there is room they wait in memory. When
 * there is none, and other handlers of the subscription could go on, they become held keys: their events wait in the store.
 */
export class Door {
  readonly #options: DoorOptions;
  /** With the monotonic time since when. */
  readonly #waiting = new Map<Lane, number>();
  #cancel: CancelTimer | undefined;
  #stopped = false;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Whether the first delivery of a lane may start now. */
  admits(delivery: Delivery, lane: Lane): boolean {
    if (!delivery.route.guards && !delivery.guarded) return true;
    const { clock } = this.#options.runtime.platform;
    const isAdmitted = admit(delivery, clock, lane, () => {
      if (!this.#stopped) this.#options.wake(lane);
    });
    if (isAdmitted) this.#waiting.delete(lane);
    else if (!this.#waiting.has(lane)) {
      this.#waiting.set(lane, clock.monotonic());
      this.#lookLater();
    }
    return isAdmitted;
  }

  /** Whether a delivery that has a slot may run once more. */
  admitsAgain(delivery: Delivery): boolean {
    return enterNow(delivery, this.#options.runtime.platform.clock);
  }

  /** What is in the lane does not wait here any more. */
  forget(lane: Lane): void {
    if (!this.#waiting.delete(lane)) return;
    for (const { guards } of this.#options.runtime.routes.values()) stopWaiting(lane, guards);
    for (const { guarded } of lane.queue) guarded?.waitsFor?.waiters.delete(lane);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    for (const lane of Array.from(this.#waiting.keys())) this.forget(lane);
  }

  #lookLater(): void {
    if (this.#cancel || this.#stopped) return;
    const look = (): void => {
      this.#cancel = undefined;
      if (this.#options.isFull()) this.#makeRoom();
      if (this.#waiting.size > 0) this.#lookLater();
    };
    this.#cancel = this.#options.runtime.platform.clock.after(patienceMs, look, true);
  }

  #makeRoom(): void {
    const until = this.#options.runtime.platform.clock.monotonic() - patienceMs;
    for (const [lane, since] of this.#waiting) {
      const [delivery] = lane.queue;
      if (!delivery || lane.running) this.#waiting.delete(lane);
      // What is under way before it must be settled first: the next owner would find it behind this one.
      else if (since <= until && !lane.busy && !lane.blocked) this.#holdIfOthersGoOn(lane, delivery);
    }
  }

  #holdIfOthersGoOn(lane: Lane, delivery: Delivery): void {
    const { runtime, held, close } = this.#options;
    const guard = refusing(delivery);
    if (!guard || !this.#othersGoOn(delivery)) return;
    this.forget(lane);
    const followers = lane.queue.splice(1);
    lane.queue = [];
    runtime.log.debug({ subscription: runtime.name, key: lane.key, guard: guard.name }, "a waiting key is held");
    held.hold(delivery, undefined, { step: "hold", delayMs: 0 }, lane.key === null, followers);
    close(lane);
  }

  /** At most once nothing is held that has not failed, and a partition that waits as a whole waits as a whole. */
  #othersGoOn({ route }: Delivery): boolean {
    const { routes, guarantee } = this.#options.runtime;
    if (guarantee === "at-most-once" || route.policy.onFailure === "blockPartition") return false;
    for (const other of routes.values()) if (refusing({ route: other }) === undefined) return true;
    return false;
  }
}
