import type { CancelTimer, Clock } from "../../platform/clock.ts";
import type { Item } from "./item.ts";
import { failureKind, Refusal, type RefusalBody, toTidingsError, unreachable } from "./failure.ts";
import type { Line } from "./link.ts";
import type { Settings } from "./options.ts";

/** What lanes share. */
export interface LaneHost {
  readonly clock: Clock;
  readonly settings: Settings;
  line(): Line | undefined;
  /** Sends an event, which expects the one before it; its answer comes by `Lane.answered`. */
  send(line: Line, item: Item, subject: string, after: string | undefined): void;
  /** What is to be done when an event is there: the lane does not wait for it. */
  settle(item: Item): void;
}

/**
 * How long nothing may be answered before what is under way is sent again, in milliseconds: at first, and, doubled each time,
 * at most. A leader that died while our connection is to another server says nothing.
 */
const patienceMsMin = 2000;
const patienceMsMax = 16_000;
const pauseMsMin = 20;
const pauseMsMax = 1000;
const windowMin = 4;

/**
 * The events of one partition on their way, in the order of the calls. They are sent one behind the other without waiting,
 * and each expects that the one before it is the last of the stream, so that none can overtake one that failed or was lost:
 * behind a gap everything is refused. Then nothing more is sent until each has its answer or its connection is gone, and what
 * is not known to be there goes again in order with the same ids, which the server remembers. So an unknown outcome holds
 * all later ones.
 */
export class Lane {
  readonly subject: string;
  readonly #host: LaneHost;
  #queue: Item[] = [];
  #head = 0;
  #flight: Item[] = [];
  #flightBytes = 0;
  #broken = false;
  #paused: CancelTimer | undefined;
  #pauseMs = pauseMsMin;
  #window: number;
  #progressAtMs = 0;
  #patienceMs = patienceMsMin;

  constructor(subject: string, host: LaneHost) {
    this.subject = subject;
    this.#host = host;
    this.#window = host.settings.windowEventsMax;
  }

  get idle(): boolean {
    return this.#flight.length === 0 && this.#head >= this.#queue.length;
  }

  push(item: Item): void {
    this.#queue.push(item);
  }

  /** Sends as much as may be under way. */
  pump(): void {
    if (this.#broken || this.#paused) return;
    const line = this.#host.line();
    if (!line) return;
    const { windowBytesMax, duplicateWindowMs } = this.#host.settings;
    while (
      this.#head < this.#queue.length &&
      this.#flight.length < this.#window &&
      this.#flightBytes < windowBytesMax
    ) {
      if (this.#mustWait(this.#queue[this.#head] as Item)) return;
      const item = this.#next();
      const { call } = item;
      const nowMs = this.#host.clock.monotonic();
      if (item.sentAtMs === undefined && call.over) call.dropped();
      // The server may have forgotten it: it stays unknown, and nothing of it can come any more.
      else if (item.sentAtMs !== undefined && nowMs - item.sentAtMs > duplicateWindowMs / 2) {
        call.expire(unreachable(this.#host.settings.address, "it was away for too long"));
        call.dropped();
      } else this.#send(line, item, nowMs);
    }
  }

  /** Takes an answer of the server's. */
  answered(item: Item, token: number, body: string): void {
    const answer = JSON.parse(body) as { seq?: number; duplicate?: boolean; error?: RefusalBody };
    if (item.state === "stored") return;
    // A cluster may know an id of which the place is not decided yet: then it is asked again.
    if (answer.error || !answer.seq) {
      // That of an earlier sending says nothing about this one.
      if (item.token !== token || item.state !== "flying") return;
      item.state = "refused";
      item.problem = new Refusal(answer.error ?? { code: 503, description: "the place is not decided yet" });
      this.#broken = true;
    } else {
      item.state = "stored";
      item.sequence = answer.seq;
      item.duplicate = answer.duplicate === true;
      this.#progressAtMs = this.#host.clock.monotonic();
      this.#patienceMs = patienceMsMin;
    }
    this.#advance();
  }

  /** The server does not let us publish here. */
  denied(error: Error): void {
    for (const item of this.#flight) {
      if (item.state !== "flying") continue;
      item.state = "refused";
      item.problem = error;
    }
    this.#broken = true;
    this.#advance();
  }

  /** The connection is gone: what was under way may be there. */
  lost(): void {
    for (const item of this.#flight) if (item.state === "flying") item.state = "lost";
    if (this.#flight.length === 0) return;
    this.#broken = true;
    this.#advance();
  }

  /** Looks for answers that do not come. */
  tick(nowMs: number): void {
    if (this.#flight[0]?.state === "flying" && nowMs - this.#progressAtMs > this.#patienceMs) {
      this.#patienceMs = Math.min(this.#patienceMs * 2, patienceMsMax);
      this.lost();
    }
    // What was given up is taken out, so that whoever closes does not wait for it.
    else if (this.#flight.length === 0 && this.#queue[this.#head]?.call.over) this.#sweep();
  }

  /**
   * An event with an id of the caller's is under way alone. When somebody else has just stored it, the one behind it would find the id
   * that it expects, though what stands before both was refused.
   */
  #mustWait({ by }: Item): boolean {
    const last = this.#flight.at(-1);
    return last !== undefined && (by !== undefined || last.by !== undefined);
  }

  #next(): Item {
    const item = this.#queue[this.#head++] as Item;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  #send(line: Line, item: Item, nowMs: number): void {
    const before = this.#flight.at(-1);
    if (!before) this.#progressAtMs = nowMs;
    item.sentAtMs ??= nowMs;
    item.call.sent = true;
    item.state = "flying";
    this.#flight.push(item);
    this.#flightBytes += item.draft.data.length + item.draft.headers.length;
    this.#host.send(line, item, this.subject, before?.messageId);
  }

  #advance(): void {
    let settled = 0;
    while (this.#flight[settled]?.state === "stored") this.#land(this.#flight[settled++] as Item);
    if (settled > 0) this.#flight.splice(0, settled);
    this.#window = Math.min(this.#window + settled, this.#host.settings.windowEventsMax);
    if (this.#broken) {
      if (this.#flight.some(({ state }) => state === "flying")) return;
      this.#repair();
    } else if (this.#flight.length === 0) {
      this.#pauseMs = pauseMsMin;
    }
    this.pump();
  }

  /** Everything under way has its answer, or none to wait for: what is not there goes again, in order. */
  #repair(): void {
    const flight = this.#flight;
    this.#flight = [];
    this.#flightBytes = 0;
    this.#broken = false;
    const again: Item[] = [];
    for (const item of flight) {
      const kind = item.state === "refused" ? failureKind(item.problem) : undefined;
      if (item.state === "stored") this.#land(item);
      else if (item.state === "refused" && kind !== "chain" && kind !== "away")
        item.call.failed(toTidingsError(item.problem, this.#host.settings.address));
      else {
        if (kind === "away") this.#pause();
        item.state = "waiting";
        again.push(item);
      }
    }
    // Somebody else writes here as well: fewer at once are refused less.
    this.#window = Math.max(windowMin, this.#window >> 1);
    this.#queue = [...again, ...this.#queue.slice(this.#head)];
    this.#head = 0;
  }

  #land(item: Item): void {
    this.#flightBytes -= item.draft.data.length + item.draft.headers.length;
    this.#host.settle(item);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
    this.#paused = this.#host.clock.after(this.#pauseMs, () => {
      this.#paused = undefined;
      this.pump();
    });
  }

  /** Drops what was given up before it was sent. */
  #sweep(): void {
    const left: Item[] = [];
    for (const item of this.#queue.slice(this.#head)) {
      if (item.sentAtMs === undefined && item.call.over) item.call.dropped();
      else left.push(item);
    }
    this.#queue = left;
    this.#head = 0;
  }
}
