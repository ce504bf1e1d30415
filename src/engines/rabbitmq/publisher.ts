import type { Platform } from "../../platform/platform.ts";
import type { Appended, TopicEntry } from "../../ports/topics.ts";
import { closedError } from "../broker/rejections.ts";
import { Call, type CallHost } from "../broker/call.ts";
import { Calls } from "../broker/calls.ts";
import { Item, Owner } from "./item.ts";
import type { Known } from "./known.ts";
import { type Catalog, checkPartition } from "./catalog.ts";
import { blockedError } from "./failure.ts";
import { Lane, type LaneHost } from "./lane.ts";
import type { Line, Link } from "./link.ts";
import { queueOf } from "./names.ts";
import type { Settings } from "./options.ts";
import { OwnIds } from "./own-ids.ts";
import { type Draft, draftOf } from "./wire.ts";

/** How often to look for calls whose time is over, in milliseconds. */
const lookMs = 200;

export interface PublisherParts {
  readonly platform: Platform;
  readonly settings: Settings;
  /** Connections of which only one at a time can be this process's. */
  readonly link: Link;
  readonly known: Known;
  /** Hears of topics that have new events. */
  readonly published: (topic: string, partition: number) => void;
}

/** Takes publishes and brings their events to the lanes of their partitions. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #host: LaneHost;
  readonly #callHost: CallHost;
  readonly #lanes = new Map<string, Lane>();
  readonly #calls = new Calls();
  readonly #ids = new OwnIds();
  #line: Line | undefined;
  /** Publishes behind one that looks up its topics wait for it. */
  #gate: Promise<unknown> | undefined;
  #waiting = 0;
  #ticking = false;
  #closed = false;
  /** When the server was seen to take publishes. */
  #workedAtMs: number;
  #drained: (() => void)[] = [];

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    const { platform, settings, link, known } = parts;
    this.#callHost = { address: settings.address, over: (call) => this.#forget(call) };
    this.#workedAtMs = platform.clock.monotonic();
    this.#host = {
      clock: platform.clock,
      settings,
      line: () => this.#line,
      known,
      settled: (item, offset) => this.#landed(item, offset),
      stuck: (line) => link.abandon(line, "what was published is not stored"),
    };
    link.listen({
      up: (line) => {
        this.#line = line;
        this.#pump();
      },
      down: () => {
        this.#line = undefined;
        for (const lane of this.#lanes.values()) lane.down();
      },
      unblocked: () => this.#pump(),
    });
  }

  /** See `Topics.publish`. */
  publish(entries: readonly TopicEntry[], catalog: Catalog, positions: boolean): Promise<readonly Appended[]> {
    const { settings, platform } = this.#parts;
    const nowMs = platform.clock.now();
    const drafts = entries.map((entry) =>
      draftOf(entry, queueOf(settings.prefix, entry.topic, entry.partition), nowMs, settings.eventBytesMax),
    );
    if (!this.#gate && drafts.every(({ topic }) => catalog.known(topic)))
      return this.#checked(drafts, catalog, positions);
    const names = new Set(drafts.map(({ topic }) => topic));
    const loaded = Promise.all(Array.from(names, (name) => catalog.topic(name)));
    loaded.catch(() => undefined);
    this.#waiting++;
    const turn = (this.#gate ?? Promise.resolve()).then(() =>
      loaded.then(() => ({ accepted: this.#checked(drafts, catalog, positions) })),
    );
    const gate = turn
      .catch(() => undefined)
      .finally(() => {
        this.#waiting--;
        if (this.#gate === gate) this.#gate = undefined;
        this.#settled();
      });
    this.#gate = gate;
    return turn.then(({ accepted }) => accepted);
  }

  /** Appends to a stream of ours that is no partition; resolves with its offset. */
  async append(queue: string, text: string): Promise<number> {
    const data = Buffer.from(text);
    const contentType = "application/json";
    const draft = { topic: "", partition: 0, queue, headers: {}, contentType, data, bytes: data.length };
    const [appended] = await this.#accept([draft], true);
    return (appended as Appended).position;
  }

  /** Resolves when everything that was accepted is answered; nothing more may come then. */
  async close(): Promise<void> {
    if (this.#calls.size > 0 || this.#waiting > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
    this.#closed = true;
  }

  #checked(drafts: readonly Draft[], catalog: Catalog, positions: boolean): Promise<readonly Appended[]> {
    for (const { topic, partition } of drafts) {
      const found = catalog.known(topic);
      if (!found) throw closedError(this.#parts.settings.address);
      checkPartition(found, partition);
    }
    return this.#accept(drafts, positions);
  }

  #accept(drafts: readonly Draft[], placed: boolean): Promise<readonly Appended[]> {
    const { platform } = this.#parts;
    const known = this.#ids.find(drafts);
    return new Promise((resolve, reject) => {
      const call = new Call(drafts.length, platform.clock.monotonic(), this.#callHost, resolve, reject);
      this.#calls.add(call);
      const lanes = new Set<Lane>();
      for (const [index, draft] of drafts.entries()) {
        const there = known[index] ?? this.#ids.waiting(draft);
        if (there && "owners" in there) {
          there.owners.push(new Owner(call, index));
          call.sent ||= there.isFlying;
        } else if (there) call.stored(index, there.position, true);
        else {
          const lane = this.#laneOf(draft.queue);
          const item = new Item(draft, placed, new Owner(call, index));
          this.#ids.begun(item);
          lane.push(item);
          lanes.add(lane);
        }
      }
      for (const lane of lanes) lane.pump();
      this.#tick();
    });
  }

  #laneOf(queue: string): Lane {
    let lane = this.#lanes.get(queue);
    if (!lane) this.#lanes.set(queue, (lane = new Lane(queue, this.#host)));
    return lane;
  }

  #landed(item: Item, offset: number | undefined): void {
    this.#ids.settled(item, offset);
    const { topic, partition } = item.draft;
    if (offset !== undefined && topic !== "") this.#parts.published(topic, partition);
  }

  #pump(): void {
    for (const lane of this.#lanes.values()) lane.pump();
  }

  #forget(call: Call): void {
    this.#calls.delete(call);
    this.#settled();
  }

  #settled(): void {
    if (this.#calls.size > 0 || this.#waiting > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** While there are calls or open channels, looks for those whose time is over. */
  #tick(): void {
    if (this.#ticking || this.#closed) return;
    this.#ticking = true;
    const { clock } = this.#parts.platform;
    clock.after(lookMs, () => {
      this.#ticking = false;
      this.#look(clock.monotonic());
      for (const lane of this.#lanes.values()) if (!lane.idle || lane.open) return this.#tick();
      if (this.#calls.size > 0) this.#tick();
    }, true); // prettier-ignore
  }

  #look(nowMs: number): void {
    const { settings, link } = this.#parts;
    const blocked = this.#line?.blocked;
    if (this.#line && blocked === undefined) this.#workedAtMs = nowMs;
    const awayTooLong = nowMs - this.#workedAtMs > settings.busyTimeoutMs;
    for (const call of this.#calls.all()) {
      const waitedMs = nowMs - call.sinceMs;
      if (waitedMs > settings.requestTimeoutMs || (awayTooLong && !call.sent && waitedMs > settings.busyTimeoutMs))
        call.expire(blocked === undefined ? link.unreachable() : blockedError(settings.address, blocked));
    }
    for (const lane of this.#lanes.values()) lane.tick(nowMs);
  }
}
