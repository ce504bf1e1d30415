import type { Platform } from "../../platform/platform.ts";
import type { Appended, TopicEntry } from "../../ports/topics.ts";
import { closedError } from "../broker/rejections.ts";
import type { Api } from "./api.ts";
import { Bodies } from "./body.ts";
import { Call, type CallHost } from "../broker/call.ts";
import { Calls } from "../broker/calls.ts";
import { type Catalog, checkPartition, type KnownTopic } from "./catalog.ts";
import { type Compression, compressedBytesMax } from "./compression.ts";
import { unreachable } from "./failure.ts";
import { Lane, type LaneHost } from "./lane.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import type { Protocol } from "./protocol.ts";
import { Sender } from "./sender.ts";
import { checkFits, type Draft, draftOf, type WireLimits } from "./wire.ts";

/** How often to look for calls whose time is over, in milliseconds. */
const lookMs = 200;

export interface PublisherParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly link: Link;
  readonly api: Api;
  readonly protocol: Protocol;
  readonly catalog: Catalog;
  readonly limits: WireLimits;
  readonly compression: Compression | undefined;
  /** How long ids of callers are remembered that were written after all, in milliseconds. */
  readonly repeatsMs: number;
  /** Hears of topics that have new events. */
  readonly published: LaneHost["stored"];
}

/** Takes publishes and brings their events to the lanes of their partitions. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #host: LaneHost;
  readonly #callHost: CallHost;
  readonly #lanes = new Map<KnownTopic, Lane[]>();
  readonly #senders = new Map<number, Sender>();
  readonly #calls = new Calls();
  readonly #bodies = new Bodies();
  #identity: Promise<{ readonly producerId: bigint; readonly epoch: number }> | undefined;
  /** Publishes behind one that looks up its topics wait for it. */
  #gate: Promise<unknown> | undefined;
  #waiting = 0;
  #ticking = false;
  #looking = false;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    const { platform, settings, link, protocol, published } = parts;
    this.#callHost = { address: settings.address, over: (call) => this.#forget(call) };
    this.#host = {
      clock: platform.clock,
      crc32c: protocol.codec.crc32c,
      compression: parts.compression,
      address: settings.address,
      repeatsMs: parts.repeatsMs,
      batchBytesMax: Math.max(
        1024,
        Math.min(settings.windowBytesMax / 2, parts.compression ? compressedBytesMax : Infinity),
      ),
      identity: (fresh) => this.#identify(fresh),
      ready: (lane) => this.#ready(lane),
      lookForLeader: () => this.#lookForLeaders(),
      stored: published,
    };
    link.listen({ up: () => this.#up() });
  }

  /** Asks for what brokers tell this writer by. Throws TIDINGS_ACCESS_DENIED. */
  async open(): Promise<void> {
    await this.#identify(false);
  }

  publish(entries: readonly TopicEntry[]): Promise<readonly Appended[]> {
    const { limits, catalog } = this.#parts;
    const drafts = entries.map((entry) => draftOf(entry, limits, this.#bodies));
    if (!this.#gate && drafts.every(({ topic }) => catalog.known(topic))) return this.#accept(drafts);
    const names = new Set(drafts.map(({ topic }) => topic));
    const loaded = Promise.all(Array.from(names, (name) => catalog.topic(name)));
    loaded.catch(() => undefined);
    this.#waiting++;
    const turn = (this.#gate ?? Promise.resolve()).then(() => loaded.then(() => ({ accepted: this.#accept(drafts) })));
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

  /** Resolves when everything that was accepted is answered; nothing more may come then. */
  async close(): Promise<void> {
    if (this.#calls.size > 0 || this.#waiting > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
    this.#closed = true;
    for (const lane of this.#all()) lane.stop();
  }

  /** Why some of what is published is not taken; undefined when all is. */
  trouble(): string | undefined {
    const { address, pingIntervalMs } = this.#parts.settings;
    for (const lane of this.#all()) {
      const why = lane.stuckFor(2 * pingIntervalMs);
      if (why !== undefined) return unreachable(address, why).message;
    }
    return undefined;
  }

  #accept(drafts: readonly Draft[]): Promise<readonly Appended[]> {
    const { catalog, platform, settings } = this.#parts;
    const lanes = drafts.map((draft) => {
      const topic = catalog.known(draft.topic);
      if (!topic) throw closedError(settings.address);
      if (topic.gone) throw topic.gone;
      checkPartition(topic.spec, draft.partition);
      checkFits(draft, topic.batchBytesMax);
      return this.#laneOf(topic, draft.partition);
    });
    return new Promise((resolve, reject) => {
      const call = new Call(drafts.length, platform.clock.monotonic(), this.#callHost, resolve, reject);
      this.#calls.add(call);
      for (const [index, draft] of drafts.entries()) (lanes[index] as Lane).push({ call, index, draft });
      this.#tick();
    });
  }

  #laneOf(topic: KnownTopic, partition: number): Lane {
    let lanes = this.#lanes.get(topic);
    if (!lanes) this.#lanes.set(topic, (lanes = []));
    return (lanes[partition] ??= new Lane(topic, partition, this.#host));
  }

  #ready(lane: Lane): void {
    const node = lane.leader;
    let sender = this.#senders.get(node);
    if (!sender) {
      const { link, protocol, platform, settings } = this.#parts;
      this.#senders.set(node, (sender = new Sender(node, link, protocol, platform.clock, settings)));
    }
    sender.take(lane);
  }

  #identify(fresh: boolean): Promise<{ readonly producerId: bigint; readonly epoch: number }> {
    const { api } = this.#parts;
    if (fresh) return api.newProducer();
    if (!this.#identity) {
      const asked = api.newProducer();
      this.#identity = asked;
      asked.catch(() => (this.#identity = undefined));
    }
    return this.#identity;
  }

  #lookForLeaders(): void {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    this.#parts.catalog
      .refresh()
      .catch(() => undefined)
      .finally(() => (this.#looking = false));
  }

  #up(): void {
    this.#parts.catalog
      .refresh()
      .catch(() => undefined)
      .finally(() => {
        for (const lane of this.#all()) lane.resume();
      });
  }

  *#all(): Iterable<Lane> {
    for (const lanes of this.#lanes.values()) for (const lane of lanes) if (lane as Lane | undefined) yield lane;
  }

  #forget(call: Call): void {
    this.#calls.delete(call);
    this.#settled();
  }

  #settled(): void {
    if (this.#calls.size > 0 || this.#waiting > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** While there are calls, looks for those whose time is over. */
  #tick(): void {
    if (this.#ticking || this.#closed) return;
    this.#ticking = true;
    const { clock } = this.#parts.platform;
    clock.after(lookMs, () => {
      this.#ticking = false;
      this.#look(clock.monotonic());
      if (this.#calls.size > 0) this.#tick();
    }, true); // prettier-ignore
  }

  #look(nowMs: number): void {
    const { settings, link } = this.#parts;
    const isUp = link.trouble() === undefined;
    const why = this.#calls.size === 0 ? undefined : this.trouble();
    const reason = why === undefined ? link.unreachable() : new Error(why);
    for (const call of this.#calls.all()) {
      const limitMs = call.sent || isUp ? settings.requestTimeoutMs : settings.busyTimeoutMs;
      if (nowMs - call.sinceMs > limitMs) call.expire(call.sent ? reason : link.unreachable());
    }
    for (const lane of this.#all()) lane.sweep();
  }
}
