import { hasCode } from "../errors/tidings-error.ts";
import { messageOf } from "../event/validate.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { ReadPage, TopicEntry } from "../ports/topics.ts";
import type { Fence } from "../ports/transaction.ts";
import type { RelayLog } from "./outbox-options.ts";
import { streamOf } from "./documents.ts";
import { isRefusal, type OutboxRow, ParkedRows } from "./parked-rows.ts";
import { RelayProgress } from "./relay-progress.ts";
import { entryOf, outboxTopic } from "./row.ts";

/** What the relay of one partition of an outbox works with. */
export interface RelayOptions {
  readonly broker: Engine;
  readonly store: Engine;
  readonly storeId: string;
  readonly partition: number;
  readonly fence: Fence;
  readonly platform: Platform;
  readonly log: RelayLog;
  /** Another member has taken over, or an engine has stopped for good. */
  readonly onLost: () => void;
}

/** How a relay does. */
export interface RelayStatus {
  readonly partition: number;
  /** Position of the next row that is to be sent. */
  readonly next: number;
  /** Rows that it knows to be parked. */
  readonly parked: number;
  /** Why nothing can be sent; undefined when that is not so. */
  readonly trouble: string | undefined;
}

/** Rows and bytes of one page: large enough to fill a batch of the broker. */
const pageMax = { events: 512, bytes: 1024 * 1024 };
/** How often to look when no hint comes, in milliseconds. */
const backstopMs = 2000;
/** How long the broker may take to answer before that is trouble, in milliseconds. */
const answerMs = 10_000;
/** How long to wait before a page is sent again, in milliseconds: doubled each time, and shared out by chance. */
const retryMs = { first: 20, most: 2000 };

/**
 * Sends the rows of one partition of an outbox to the broker, in their order, and then says how far it is. It repeats what it
 * is not sure of: after an unknown outcome, and after its own death. Each event carries the stream's name and the row's position,
 * by which our consumers drop repeats, also those of a relay that was fenced and did not know it yet.
 *
 * One page is under way at a time; the next one is read meanwhile.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #parked: ParkedRows;
  readonly #progress: RelayProgress;
  readonly #stream: string;
  #next = 0;
  #stopped = false;
  #trouble: string | undefined;
  /** Since when the broker has been asked to take something and has not answered; by the monotonic clock. */
  #askedAtMs: number | undefined;
  #delayMs = retryMs.first;
  /** There may be something to send. */
  #hinted = false;
  #onHint: (() => void) | undefined;
  #onEnd: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#stream = streamOf(options.storeId, options.partition);
    this.#progress = new RelayProgress({ ...options, onLost: () => this.#lost() });
    this.#parked = new ParkedRows({ ...options, progress: this.#progress });
  }

  /** Begins where the last owner has left off. Rejects when the store cannot be read. */
  async start(): Promise<void> {
    this.#next = await this.#progress.load();
    await this.#parked.load();
    if (this.#stopped) return;
    const { store } = this.#options;
    const hint = (): void => {
      this.#hinted = true;
      this.#onHint?.();
    };
    const ends = [store.topics.watch(outboxTopic, hint), this.#parked.watch(hint)];
    this.#unwatch = () => {
      for (const end of ends) end();
    };
    this.#running = this.#run();
  }

  /** Ends after the page that is under way. Never rejects. */
  async stop(): Promise<void> {
    this.#end();
    await this.#running;
    await this.#progress.saved();
  }

  status(): RelayStatus {
    const { partition } = this.#options;
    return { partition, next: this.#next, parked: this.#parked.size(), trouble: this.#trouble ?? this.#silence() };
  }

  /** Whoever gets no answer at all hears of no failure either. */
  #silence(): string | undefined {
    if (this.#askedAtMs === undefined) return undefined;
    const silentMs = this.#options.platform.clock.monotonic() - this.#askedAtMs;
    if (silentMs < answerMs) return undefined;
    return `the outbox cannot be sent: the broker has not answered for ${Math.round(silentMs / 1000)} s`;
  }

  #end(): void {
    this.#stopped = true;
    this.#unwatch?.();
    this.#onEnd?.();
  }

  #lost(): void {
    this.#end();
    this.#options.onLost();
  }

  async #run(): Promise<void> {
    let ahead: Promise<ReadPage> | undefined;
    while (!this.#stopped) {
      try {
        this.#hinted = false;
        if (this.#progress.unsure) await this.#reload();
        await this.#parked.perform((entries) => this.#publish(entries));
        const page = await (ahead ?? this.#read(this.#next));
        ahead = undefined;
        if (page.records.length > 0) {
          if (!page.end) ahead = this.#readAhead(page.next);
          await this.#send(page.records.map((row) => ({ entry: entryOf(row, this.#stream), position: row.position })));
        }
        this.#next = Math.max(this.#next, page.next);
        this.#recovered();
        this.#progress.save(this.#next);
        if (page.records.length === 0) await this.#wait(backstopMs, true);
      } catch (error) {
        ahead = undefined;
        await this.#failed(error);
      }
    }
  }

  /** After a commit of unknown outcome: what it has written is known afterwards, and nothing of it is done again. */
  async #reload(): Promise<void> {
    // When this is answered, the one in question has taken effect or never will.
    if (!(await this.#progress.commit([]))) return;
    await this.#parked.load();
    this.#next = Math.max(this.#next, await this.#progress.load());
  }

  #read(position: number): Promise<ReadPage> {
    return this.#options.store.topics.read(outboxTopic, this.#options.partition, position, pageMax);
  }

  /** While a page is being sent; a failure shows when it is waited for. */
  #readAhead(position: number): Promise<ReadPage> {
    const page = this.#read(position);
    page.catch(() => undefined);
    return page;
  }

  /**
   * Sends all of them, or parks who is refused for good. Rejects with what is to be waited for: then what is not done is sent again,
   * and what is parked or stands before it never is, for it would come to stand behind itself.
   */
  async #send(rows: readonly OutboxRow[]): Promise<void> {
    const last = rows.at(-1) as OutboxRow;
    const behind = new Set(rows.filter(({ entry }) => this.#parked.holds(entry)));
    const open = behind.size > 0 ? rows.filter((row) => !behind.has(row)) : rows;
    // Before the others are sent, so that it is sent behind its key and not among them when all of it comes again.
    if (behind.size > 0) await this.#parked.followers([...behind]);
    try {
      if (open.length > 0) await this.#publish(open.map(({ entry }) => entry));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (rows.length > 1) {
        // Somebody's event is at fault; in halves it shows whose.
        const half = Math.ceil(rows.length / 2);
        await this.#send(rows.slice(0, half));
        return this.#send(rows.slice(half));
      }
      await this.#parked.park(last, error);
    }
    this.#next = last.position + 1;
  }

  async #publish(entries: readonly TopicEntry[]): Promise<void> {
    const { broker, platform } = this.#options;
    this.#askedAtMs = platform.clock.monotonic();
    try {
      await broker.topics.publish(entries, { positions: false });
    } finally {
      this.#askedAtMs = undefined;
    }
  }

  #recovered(): void {
    if (this.#trouble !== undefined)
      this.#options.log.info({ outbox: this.#options.partition }, "the outbox is being sent again");
    this.#trouble = undefined;
    this.#delayMs = retryMs.first;
  }

  async #failed(error: unknown): Promise<void> {
    if (hasCode(error, "TIDINGS_CLOSED") || hasCode(error, "TIDINGS_STORE_REPLACED")) return this.#lost();
    const { log, platform, partition } = this.#options;
    if (this.#trouble === undefined) log.warn({ outbox: partition, err: error }, "the outbox cannot be sent for now");
    this.#trouble = `the outbox cannot be sent: ${messageOf(error)}`;
    const delayMs = this.#delayMs * (0.5 + platform.random.next() / 2);
    this.#delayMs = Math.min(retryMs.most, this.#delayMs * 2);
    await this.#wait(delayMs, false);
  }

  /** Waits for this time, for the end, and if it shall for a hint. */
  #wait(delayMs: number, byHint: boolean): Promise<void> {
    if (this.#stopped || (byHint && this.#hinted)) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#onEnd = this.#onHint = undefined;
        resolve();
      };
      const cancel = this.#options.platform.clock.after(delayMs, wake, true);
      this.#onEnd = wake;
      if (byHint) this.#onHint = wake;
    });
  }
}
