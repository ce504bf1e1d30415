import { hasCode } from "../../errors/tidings-error.ts";
import { messageOf } from "../../event/validate.ts";
import type { CancelTimer } from "../../platform/clock.ts";
import type { Progress } from "../commit/progress.ts";
import type { HeldKeys } from "../held/held-keys.ts";
import type { Lanes } from "../lanes/lanes.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { Ingest } from "./ingest.ts";

/** What fetches the events of a partition. */
export interface FetchOptions {
  readonly runtime: SubscriptionRuntime;
  readonly number: number;
  readonly progress: Progress;
  readonly held: HeldKeys;
  readonly lanes: Lanes;
  readonly ingest: Ingest;
}

/** How often to look for new events when no hint comes, and again after an error, in milliseconds. */
const backstopMs = 5000;
const errorDelayMs = 500;
/** While it should not fetch: how often to look whether it may, and a page how often and of how many events all the same. */
const throttled = { lookMs: 20, pageMs: 1000, events: 16 };
/** Most events of one read: as many as are handled in a few milliseconds. */
const readMax = 512;

/** Fetches the events of one partition as long as there is room for them. */
export class Fetch {
  readonly #options: FetchOptions;
  readonly #runtime: SubscriptionRuntime;
  #open = false;
  #fetching = false;
  /** There may be something to fetch. */
  #hinted = false;
  /** Since when it should not fetch, or when it did all the same; by the monotonic clock. */
  #throttledAtMs: number | undefined;
  #trouble: string | undefined;
  /** The topic was seen to reach as far as the position. */
  #isWithin = false;
  #unwatch: (() => void) | undefined;
  #cancelBackstop: CancelTimer | undefined;
  readonly #onHint = (partition?: number): void => {
    if (partition === undefined || partition === this.#options.number) this.wake();
  };

  constructor(options: FetchOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /** Begins to fetch. */
  open(): void {
    this.#open = true;
    this.#unwatch = this.#runtime.engine.topics.watch(this.#runtime.topic, this.#onHint);
    this.wake();
  }

  /** Fetches no more; a page that is on its way is dropped. */
  close(): void {
    this.#open = false;
    this.#options.ingest.close();
    this.#unwatch?.();
    this.#cancelBackstop?.();
  }

  /** Something may be there to be fetched or started. */
  wake(): void {
    this.#hinted = true;
    this.goOn();
  }

  /** There is room again: fetches on where something is left to be fetched, and asks for nothing where all is known to be here. */
  goOn(): void {
    if (!this.#open) return;
    if (this.#hinted && !this.#fetching) void this.#loop();
    this.#options.lanes.dispatch();
  }

  /** Why nothing can be fetched; undefined when that is not so. */
  trouble(): string | undefined {
    return this.#trouble;
  }

  async #loop(): Promise<void> {
    this.#fetching = true;
    this.#cancelBackstop?.();
    try {
      while (this.#hinted && this.#open && this.#hasRoom()) {
        const events = this.#pageEvents();
        if (events <= 0) break;
        this.#hinted = false;
        await this.#fetchOnce(events);
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#fetching = false;
      const waitMs = this.#throttledAtMs === undefined ? backstopMs : throttled.lookMs;
      const delayMs = this.#trouble === undefined ? waitMs : errorDelayMs;
      if (this.#open) this.#cancelBackstop = this.#runtime.platform.clock.after(delayMs, () => this.wake(), true);
    }
  }

  #hasRoom(): boolean {
    const { ingest, held, progress } = this.#options;
    const { prefetch, heldMax } = this.#runtime;
    return (
      !this.#runtime.paused() &&
      !ingest.isFull() &&
      held.size() < heldMax &&
      // Gaps that an earlier life has left close only by fetching what stands before them.
      (ingest.events() === 0 || progress.gaps() < prefetch.events * 4)
    );
  }

  /**
   * How many events to fetch. What piles up elsewhere is waited for, but never for long: it may be this partition that
   * drains it, in a circle.
   */
  #pageEvents(): number {
    const { runtime, ingest } = this.#options;
    const most = Math.min(readMax, runtime.prefetch.events - ingest.events());
    const room = Math.floor(runtime.fetchRoom()) - ingest.events();
    if (room > 0) {
      this.#throttledAtMs = undefined;
      return Math.min(most, room);
    }
    const nowMs = runtime.platform.clock.monotonic();
    this.#throttledAtMs ??= nowMs;
    if (nowMs - this.#throttledAtMs < throttled.pageMs) return 0;
    this.#throttledAtMs = nowMs;
    return Math.min(most, throttled.events);
  }

  async #fetchOnce(events: number): Promise<void> {
    const { number, progress, ingest, lanes } = this.#options;
    const { engine, topic, prefetch } = this.#runtime;
    const page = await engine.topics.read(topic, number, progress.next, {
      events,
      bytes: Math.max(1, prefetch.bytes - ingest.bytes()),
    });
    // What would be sent on its way while the partition drains could be committed behind its end.
    if (!this.#open) return;
    this.#trouble = undefined;
    if (page.lost > 0) return this.#positionLost(page.lost);
    if (page.records.length > 0) this.#isWithin = true;
    else if (!this.#isWithin && (await this.#isBeyond())) return;
    if (page.records.length > 0 && !page.end) this.#hinted = true;
    const sending = ingest.page(page.records);
    if (sending) await sending;
    // What was left out of the page is not reached.
    if (!this.#open) return;
    progress.reached(page.next);
    lanes.dispatch();
  }

  /** Events are gone that nobody handled: never skipped silently. */
  #positionLost(lost: number): void {
    const { number, progress } = this.#options;
    const { name, topic, log } = this.#runtime;
    const trouble = `${lost} events from position ${progress.next} on are gone by retention`;
    this.#trouble = trouble;
    log.error({ code: "TIDINGS_POSITION_LOST", subscription: name, topic, partition: number, lost }, trouble);
    const reason = `${trouble} in partition ${number} of "${topic}"; seek to go on`;
    void this.#runtime.pause(reason, undefined, { topic, partition: number, position: progress.next, lost });
  }

  /**
   * Whether the position lies behind the end of the topic: the broker was set back, or is another one. What is published up to there
   * would never be handled, and nobody would know. Asked when nothing is found at first.
   */
  async #isBeyond(): Promise<boolean> {
    const { number, progress } = this.#options;
    const { name, topic, log, engine } = this.#runtime;
    const position = progress.next;
    const end = (await engine.topics.bounds(topic))[number]?.next ?? 0;
    this.#isWithin = position <= end;
    if (this.#isWithin || !this.#open) return !this.#open;
    const trouble = `position ${position} lies behind the end at ${end}: the topic was set back or made anew`;
    this.#trouble = trouble;
    log.error({ subscription: name, topic, partition: number, position, end }, trouble);
    void this.#runtime.pause(`${trouble}, in partition ${number} of "${topic}"; seek to go on`, undefined);
    return true;
  }

  #failed(error: unknown): void {
    if (!this.#open || hasCode(error, "TIDINGS_CLOSED")) return;
    this.#trouble = messageOf(error);
    this.#hinted = true;
    const { number, progress } = this.#options;
    const { name, topic, log } = this.#runtime;
    log.error(
      { subscription: name, topic, partition: number, position: progress.next, err: error },
      "events could not be read",
    );
  }
}
