import type { Topic } from "../event/contract.ts";
import { messageOf } from "../event/validate.ts";
import type { Logger } from "../delivery/log.ts";
import { collections, type DeadLetter } from "../delivery/records.ts";
import type { RedriveDocument } from "../delivery/redrive/documents.ts";
import { readDefinitions, readPositions } from "../delivery/totals.ts";
import { housekeepingLease, releaseDead } from "./member-id.ts";
import type { CancelTimer, Clock } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";

/** What housekeeping works with. */
export interface MaintenanceOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Logger;
  /** For whom the lease is taken: this member, as `ownerOf` names it, so that a dead one is known. */
  readonly owner: string;
  readonly topics: readonly Topic[];
  readonly everyMs: number;
}

/** Definitions of subscriptions, by name. */
type Definitions = Awaited<ReturnType<typeof readDefinitions>>;

/** How long the story of a closed dead letter is kept. */
const closedKeptMs = 30 * 24 * 60 * 60 * 1000;
/** What a redrive covers is written at most so long before it begins. */
const beginsWithinMs = 60 * 60 * 1000;
/** Documents looked at in one go. */
const pageMax = 500;

/** Housekeeping of the store, done by one member at a time, in small steps. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  /** By collection: the key after which pruning goes on. */
  readonly #cursors = new Map<string, string>();
  #cancel: CancelTimer | undefined;
  #stopped = false;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, everyMs } = this.#options;
    this.#cancel = clock.after(everyMs, () => void this.#runAndGoOn(), true);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** Never rejects. */
  async #runAndGoOn(): Promise<void> {
    try {
      // Their leases end by the wall clock, and that may have been set back by hours.
      await releaseDead(this.#options.engine);
      await this.run();
    } catch (error) {
      this.#options.log.warn({ err: messageOf(error) }, "housekeeping failed and is tried again later");
    }
    if (!this.#stopped) this.start();
  }

  /** Does it now, unless another member does. */
  async run(): Promise<void> {
    const { engine, owner, everyMs, topics } = this.#options;
    const [lease] = (await engine.leases?.acquire([{ name: housekeepingLease, owner, ttlMs: everyMs }])) ?? [];
    if (!lease) return;
    const definitions = await readDefinitions(engine);
    for (const topic of topics) if (topic.retention && !this.#stopped) await this.#retain(topic, definitions);
    for (const [name] of definitions) {
      if (this.#stopped) return;
      await this.#pruneInbox(name);
      await this.#pruneClosed(name);
    }
    if (!this.#stopped) await this.#pruneRedrives();
  }

  async #retain(topic: Topic, definitions: Definitions): Promise<void> {
    const { engine, clock, log } = this.#options;
    const { maxAgeMs, partitionBytesMax, force } = topic.retention ?? {};
    const floor = force ? undefined : await this.#floorOf(topic, definitions);
    const removed = await engine.topics.retain(topic.name, {
      ...(maxAgeMs === undefined ? {} : { appendedBeforeMs: clock.now() - maxAgeMs }),
      ...(partitionBytesMax === undefined ? {} : { partitionBytesMax }),
      ...(floor ? { floor } : {}),
    });
    if (removed > 0) log.info({ topic: topic.name, events: removed }, "retention removed events");
  }

  /** By partition: the first position that a subscription still needs; undefined when there is none. */
  async #floorOf(topic: Topic, definitions: Definitions): Promise<readonly number[] | undefined> {
    const floors: number[][] = [];
    for (const [name, definition] of definitions) {
      if (definition.topic !== topic.name) continue;
      const positions = await readPositions(this.#options.engine, name, definition.partitions);
      floors.push(positions.map(({ low }) => low));
    }
    const [first, ...rest] = floors;
    return first?.map((low, i) => Math.min(low, ...rest.map((lows) => lows[i] ?? low)));
  }

  async #pruneInbox(name: string): Promise<void> {
    const { engine, clock } = this.#options;
    const queue = collections.inbox(name);
    for (;;) {
      const old = (await engine.timers?.due(queue, clock.now(), 500)) ?? [];
      if (old.length === 0 || this.#stopped) return;
      const timers = old.map(({ key, version }) => ({ queue, key, dueAtMs: null, version }));
      await engine.transact?.({ timers, durable: false });
    }
  }

  /** Looks at a page of each, and at the next one the next time: ids rise with the time of the failure, not of the closing. */
  async #pruneClosed(name: string): Promise<void> {
    const before = this.#options.clock.now() - closedKeptMs;
    await this.#prune(collections.closedDeadLetters(name), (_, value) => {
      return ((JSON.parse(value) as DeadLetter).closedAtMs ?? 0) < before;
    });
  }

  /** Redrives that were over long ago, and what was written of one that never began. */
  async #pruneRedrives(): Promise<void> {
    const { engine, clock } = this.#options;
    const nowMs = clock.now();
    await this.#prune(collections.endedRedrives, (_, value) => {
      return ((JSON.parse(value) as RedriveDocument).endedAtMs ?? 0) < nowMs - closedKeptMs;
    });
    const open = (await engine.state?.scan(collections.redrives, { limit: 1000 })) ?? [];
    const known = new Set(open.map(({ key }) => key));
    await this.#prune(collections.redriveItems, (key) => {
      const operation = key.slice(0, key.indexOf("/"));
      return !known.has(operation) && bornAtMs(operation) < nowMs - beginsWithinMs;
    });
  }

  /** Removes what is old from a page of a collection; the next call looks at the next page. */
  async #prune(collection: string, isOld: (key: string, value: string) => boolean): Promise<void> {
    const { engine } = this.#options;
    const after = this.#cursors.get(collection);
    const page =
      (await engine.state?.scan(collection, { limit: pageMax, ...(after === undefined ? {} : { after }) })) ?? [];
    const last = page.length < pageMax ? undefined : page.at(-1)?.key;
    if (last === undefined) this.#cursors.delete(collection);
    else this.#cursors.set(collection, last);
    const documents = page
      .filter(({ key, value }) => isOld(key, value))
      .map(({ key }) => ({ collection, key, value: null }));
    if (documents.length > 0) await engine.transact?.({ documents, durable: false });
  }
}

/** When an id was made: UUIDs of version 7 begin with their time. */
function bornAtMs(id: string): number {
  return Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
}
