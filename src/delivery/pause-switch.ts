import { isTidingsError } from "../errors/tidings-error.ts";
import { sleep } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { isFinal } from "./commit/committer.ts";
import type { LifecycleFeed } from "./lifecycle/feed.ts";
import type { Logger } from "./log.ts";
import { collections, type ControlDocument } from "./records.ts";

/** Why a subscription is paused. */
export type Paused = NonNullable<ControlDocument["paused"]>;

/** What a pause is stored with. */
export interface PauseHost {
  /** Name of the subscription. */
  readonly name: string;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly log: Logger;
  /** Tells of the pause, in the transaction that stores it. */
  readonly feed: LifecycleFeed;
}

/** How long to wait before a pause is stored that could not be, in milliseconds. */
const againMs = 500;

/** Whether a subscription is paused, as this process knows it; and what pauses it from here. */
export class PauseSwitch {
  paused: Paused | undefined;
  /** Makes the pause hold in this process. */
  hold: (paused: Paused) => void = (paused) => void (this.paused = paused);
  readonly #host: PauseHost;
  /** Own pauses that are not stored yet. */
  #storing = 0;
  /** Rises when one of them begins, and when it is stored. */
  #changes = 0;

  constructor(host: PauseHost) {
    this.#host = host;
  }

  /** To be taken before a look at the store, see `isOlder`. */
  mark(): number {
    return this.#changes;
  }

  /** Whether a look that began at this mark may have missed what this process has stored itself. */
  isOlder(mark: number): boolean {
    return this.#storing > 0 || mark !== this.#changes;
  }

  /** Pauses here at once, and in the store as soon as it can be written. Never rejects. */
  async pause(reason: string, pauseMs: number | undefined, lost?: Paused["lost"]): Promise<void> {
    if (this.paused) return;
    const { clock } = this.#host.platform;
    const nowMs = clock.now();
    const paused: Paused = {
      reason,
      sinceMs: nowMs,
      by: `handler of ${this.#host.name}`,
      ...(pauseMs === undefined ? {} : { untilMs: nowMs + pauseMs }),
      ...(lost === undefined ? {} : { lost }),
    };
    this.#storing += 1;
    this.#changes += 1;
    this.hold(paused);
    for (let tries = 0; this.paused === paused && !(await this.#store(paused, tries)); tries++)
      await sleep(clock, againMs);
    this.#storing -= 1;
    this.#changes += 1;
  }

  /** False when it is worth trying again. */
  async #store(paused: Paused, tries: number): Promise<boolean> {
    const { engine, feed, log, name } = this.#host;
    const document: ControlDocument = { paused };
    const documents = [{ collection: collections.controls, key: name, value: JSON.stringify(document) }];
    const told = feed.of(documents);
    try {
      await engine.transact?.({ documents, ...(told ? { publish: told } : {}) });
      return true;
    } catch (error) {
      if (tries === 0)
        log.error({ subscription: name, err: error }, "the pause is not stored yet; this process pauses all the same");
      // What may be stored is not stored again: an operator may have ended it since. The next look tells.
      return isTidingsError(error) && (isFinal(error) || error.code === "TIDINGS_OUTCOME_UNKNOWN");
    }
  }
}
