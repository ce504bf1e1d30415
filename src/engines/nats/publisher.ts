import { hash } from "node:crypto";
import type { Platform } from "../../platform/platform.ts";
import type { Appended, TopicEntry } from "../../ports/topics.ts";
import { idConflict } from "../sql/topics.ts";
import { closedError, unknownOutcome } from "../broker/rejections.ts";
import type { Api, GotMessage } from "./api.ts";
import { Call, type CallHost } from "../broker/call.ts";
import { Calls } from "../broker/calls.ts";
import { Row } from "../broker/row.ts";
import { Item } from "./item.ts";
import { type Catalog, checkPartition } from "./catalog.ts";
import { describeFailure, toTidingsError } from "./failure.ts";
import { Lane, type LaneHost } from "./lane.ts";
import type { Line, Link } from "./link.ts";
import { streamOf, subjectOf } from "./names.ts";
import type { Settings } from "./options.ts";
import { isAbsent } from "./streams.ts";
import { type Draft, draftOf, type WireLimits } from "./wire.ts";

/** How often to look for calls whose time is over, in milliseconds. */
const lookMs = 200;

export interface PublisherParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly link: Link;
  readonly api: Api;
  readonly catalog: Catalog;
  readonly limits: WireLimits;
  /** Hears of events that were stored. */
  readonly published: (topic: string, partition: number, position: number) => void;
}

/** Takes publishes and brings their events to the lanes of their partitions. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #host: LaneHost;
  readonly #callHost: CallHost;
  readonly #lanes = new Map<string, Lane>();
  readonly #calls = new Calls();
  /** By the number in the subject of its answer. */
  readonly #awaited = new Row<Item>();
  readonly #instance: string;
  #line: Line | undefined;
  #ids = 0;
  /** Publishes behind one that looks up its topics wait for it. */
  #gate: Promise<unknown> | undefined;
  #waiting = 0;
  #ticking = false;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    const { platform, settings, link } = parts;
    this.#callHost = { address: settings.address, over: (call) => this.#forget(call) };
    this.#instance = platform.ids.next().replaceAll("-", "").slice(0, 24);
    this.#host = {
      clock: platform.clock,
      settings,
      line: () => this.#line,
      send: (line, item, subject, after) => this.#send(line, item, subject, after),
      settle: (item) => this.#settle(item),
    };
    link.listen({
      up: (line) => this.#up(line),
      down: () => this.#down(),
      denied: (subject, error) => this.#denied(subject, error),
    });
  }

  publish(entries: readonly TopicEntry[]): Promise<readonly Appended[]> {
    const { limits, catalog } = this.#parts;
    const drafts = entries.map((entry) => draftOf(entry, limits));
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
  }

  #accept(drafts: readonly Draft[]): Promise<readonly Appended[]> {
    const { catalog, platform, settings } = this.#parts;
    for (const { topic, partition } of drafts) {
      const found = catalog.known(topic);
      if (!found) throw closedError(settings.address);
      checkPartition(found, partition);
    }
    return new Promise((resolve, reject) => {
      const call = new Call(drafts.length, platform.clock.monotonic(), this.#callHost, resolve, reject);
      this.#calls.add(call);
      const lanes = new Set<Lane>();
      for (const [index, draft] of drafts.entries()) {
        const lane = this.#laneOf(draft);
        lane.push(this.#itemOf(call, index, draft, lane));
        lanes.add(lane);
      }
      for (const lane of lanes) lane.pump();
      this.#tick();
    });
  }

  #laneOf({ topic, partition }: Draft): Lane {
    const subject = subjectOf(this.#parts.settings.prefix, topic, partition);
    let lane = this.#lanes.get(subject);
    if (!lane) this.#lanes.set(subject, (lane = new Lane(subject, this.#host)));
    return lane;
  }

  #itemOf(call: Call, index: number, draft: Draft, lane: Lane): Item {
    const own = `${this.#instance}-${(this.#ids += 1).toString(36)}`;
    const messageId = draft.checkId
      ? `=${hash("sha256", JSON.stringify([draft.source, draft.id]), "base64url").slice(0, 32)}`
      : own;
    return new Item(call, index, draft, lane, messageId, draft.checkId ? own : undefined);
  }

  #send({ nc, inbox }: Line, item: Item, subject: string, after: string | undefined): void {
    const { draft, messageId, by } = item;
    item.token = this.#awaited.add(item);
    let text = `NATS/1.0\r\nNats-Msg-Id: ${messageId}\r\n`;
    if (after !== undefined) text += `Nats-Expected-Last-Msg-Id: ${after}\r\n`;
    if (by !== undefined) text += `tidings-by: ${by}\r\n`;
    const bytes = Buffer.from(`${text}${draft.headers}\r\n`, "latin1");
    try {
      nc.publish(subject, draft.data, { headers: { encode: () => bytes } as never, reply: `${inbox}.a.${item.token}` });
    } catch {
      // The connection is being closed; it is told apart, and what was under way goes again.
    }
  }

  #up(line: Line): void {
    this.#line = line;
    const skip = line.inbox.length + 3;
    line.nc.subscribe(`${line.inbox}.a.*`, {
      callback: (error, message) => {
        if (error) return;
        const token = Number(message.subject.slice(skip));
        const item = this.#awaited.get(token);
        if (!item) return;
        this.#awaited.delete(token);
        const body = message.string();
        item.lane.answered(item, token, body === "" ? nobody : body);
      },
    });
    for (const lane of this.#lanes.values()) lane.pump();
  }

  #down(): void {
    this.#line = undefined;
    this.#awaited.clear();
    for (const lane of this.#lanes.values()) lane.lost();
  }

  #denied(subject: string, error: Error): void {
    this.#lanes.get(subject)?.denied(toTidingsError(error, `${this.#parts.settings.address} (${subject})`));
  }

  #settle(item: Item): void {
    const { call, index, sequence, draft } = item;
    const position = sequence - 1;
    if (item.duplicate && item.by !== undefined) return void this.#compare(item, position);
    call.stored(index, position);
    this.#parts.published(draft.topic, draft.partition, position);
  }

  /** The id is there already: by ourselves in an earlier sending, by a repeated publish, or wrongly for another event. */
  async #compare({ call, index, draft, by, sequence }: Item, position: number): Promise<void> {
    const { api, settings } = this.#parts;
    try {
      const stream = streamOf(settings.prefix, draft.topic, draft.partition);
      const { message } = await api.ask<GotMessage>(`STREAM.MSG.GET.${stream}`, { seq: sequence });
      const headers = Buffer.from(message.hdrs ?? "", "base64").toString("latin1");
      const data = Buffer.from(message.data ?? "", "base64");
      const mine = headers.includes(`\r\ntidings-by: ${by}\r\n`);
      if (!mine && !sameEvent(headers, data, draft)) return call.failed(idConflict(draft, index));
      call.stored(index, position, !mine);
      this.#parts.published(draft.topic, draft.partition, position);
    } catch (error) {
      // Where retention has taken it nothing can be compared any more; that it was there is known.
      if (isAbsent(error)) call.stored(index, position, true);
      else call.failed(unknownOutcome(settings.address, describeFailure(error)));
    }
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
      for (const lane of this.#lanes.values()) if (!lane.idle) return this.#tick();
      if (this.#calls.size > 0) this.#tick();
    }, true); // prettier-ignore
  }

  #look(nowMs: number): void {
    const { settings, link } = this.#parts;
    for (const call of this.#calls.all()) {
      const limitMs = call.sent || this.#line ? settings.requestTimeoutMs : settings.busyTimeoutMs;
      if (nowMs - call.sinceMs > limitMs) call.expire(link.unreachable());
    }
    for (const lane of this.#lanes.values()) lane.tick(nowMs);
  }
}

/** What the server says when no stream listens, or its leader is being elected. */
const nobody = '{"error":{"code":503,"description":"no stream answers"}}';

/** Whether a stored message says the same: type, key and payload, as `payloadHash` sees it. */
function sameEvent(headers: string, data: Buffer, draft: Draft): boolean {
  const said = (text: string): string =>
    text
      .split("\r\n")
      .filter((line) => /^(ce-type|ce-partitionkey): /.test(line) || line.startsWith("tidings: "))
      .map((line) => (line.startsWith("tidings: ") ? line.slice(0, 10) : line))
      .sort()
      .join();
  return data.equals(draft.data) && said(headers) === said(draft.headers);
}
