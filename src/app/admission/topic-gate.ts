import { TidingsError } from "../../errors/tidings-error.ts";
import type { Logger } from "../../delivery/log.ts";
import type { Counter, Metrics } from "../../delivery/metrics.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Engine } from "../../ports/engine.ts";
import { Backlog } from "./backlog.ts";
import { type BacklogLimit, readLags } from "./lag.ts";
import { Publishers } from "./publishers.ts";
import { Refusals } from "./refusals.ts";

/** What the gates of an application work with. */
export interface GateParts {
  readonly engine: Engine;
  readonly platform: Platform;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly memberId: string;
}

/** Publishers of this process that are refused because a subscription is too far behind. */
export interface Shedding {
  readonly topic: string;
  readonly subscription: string;
  /** About how many events are pending there. */
  readonly lag: number;
  readonly eventsMax: number;
  /** Undefined while it is not known. */
  readonly drainedPerSecond: number | undefined;
  /** Events that this process was refused since this began. */
  readonly refused: number;
  readonly forMs: number;
}

/** What units of work may still add to the backlog of a subscription that has reached its limit. */
export interface Reserve {
  readonly subscription: string;
  /** In events; 0 or less when it is used up. */
  readonly left: number;
}

/**
 * How old a look at the store may be, in milliseconds: for being told to come in, for being told to go away; and after
 * which another one is begun while publishers go on, far from the limit and close to it.
 */
const ageMs = { admit: 250, refuse: 20, far: 50, close: 5 };

/** What units of work may have pending beyond the limit, as a share of it, before what runs them fetches less. */
const reserveShare = 1;

/**
 * Lets publishers of this process in to one topic, as long as no subscription with a limit has too much pending. Decides
 * in memory, on looks at the store that publishing itself brings about: nothing runs while nobody publishes.
 */
export class TopicGate {
  readonly #parts: GateParts;
  readonly #topic: string;
  readonly #publishers: Publishers;
  readonly #backlogs = new Map<string, Backlog>();
  readonly #refusals = new Map<Backlog, Refusals>();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, readonly (() => void)[]>();
  /** Let in by this process, ever; and those among them that are not acknowledged. */
  #admitted = 0;
  #unwritten = 0;
  /** What the last look cannot have seen: let in up to here, and not acknowledged then. */
  #admittedBefore = 0;
  #unseen = 0;
  /** Published by units of work of this process, ever, and up to the last look. */
  #ofUnits = 0;
  #ofUnitsBefore = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  /** Publishes that wait for a look; later ones must not overtake them. */
  #waiting = 0;

  constructor(parts: GateParts, topic: string) {
    this.#parts = parts;
    this.#topic = topic;
    this.#publishers = new Publishers(parts.engine, parts.platform, topic, parts.memberId);
  }

  /** Takes other limits; what is known of those that stay is kept. */
  setLimits(limits: readonly BacklogLimit[]): void {
    const names = new Set(limits.map(({ subscription }) => subscription));
    for (const name of this.#backlogs.keys()) if (!names.has(name)) this.#forget(name);
    for (const limit of limits) {
      const known = this.#backlogs.get(limit.subscription);
      if (known) known.limit = limit;
      else this.#add(new Backlog(limit));
    }
  }

  #add(backlog: Backlog): void {
    const { metrics, engine } = this.#parts;
    const { subscription } = backlog.limit;
    this.#backlogs.set(subscription, backlog);
    this.#refusals.set(backlog, new Refusals());
    // Nothing is known of it: the next publish waits for a look.
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    const attributes = {
      "messaging.system": engine.name,
      "messaging.destination.name": this.#topic,
      "messaging.consumer.group.name": subscription,
    };
    const counted = { ...attributes, "messaging.operation.name": "publish" };
    this.#counters.set(subscription, metrics.counter("tidings.publish.refused", "{message}", counted));
    this.#gauges.set(subscription, [
      metrics.gauge("tidings.backlog.events", "{event}", attributes, () => Math.round(this.#pendingOf(backlog))),
      metrics.gauge("tidings.backlog.limit", "{event}", attributes, () => backlog.limit.eventsMax),
    ]);
  }

  #forget(subscription: string): void {
    const backlog = this.#backlogs.get(subscription);
    if (backlog) this.#refusals.delete(backlog);
    this.#backlogs.delete(subscription);
    for (const remove of this.#gauges.get(subscription) ?? []) remove();
    this.#gauges.delete(subscription);
  }

  /** Whether it can be decided at once; if not, `wait`. */
  ready(): boolean {
    if (this.#waiting > 0) return false;
    const nowMs = this.#now();
    const age = nowMs - this.#lookedAtMs;
    if (age > ageMs.admit) return false;
    const fullness = this.#fullness(nowMs);
    if (fullness >= 0.5) this.#publishers.press(nowMs);
    if (age > (fullness >= 0.5 ? ageMs.close : ageMs.far)) void this.#look();
    return fullness < 1 || age <= ageMs.refuse;
  }

  /** Goes on when the store has been looked at, in the order of the calls. */
  wait<Result>(goOn: () => Promise<Result>): Promise<Result> {
    this.#waiting += 1;
    return this.#look().then(() => {
      this.#waiting -= 1;
      return goOn();
    });
  }

  /** Throws TIDINGS_OVERLOADED unless there is room for at least the first of so many events. */
  check(events: number): void {
    const nowMs = this.#now();
    for (const backlog of this.#backlogs.values()) {
      const pending = this.#pendingOf(backlog, nowMs);
      if (pending >= backlog.limit.eventsMax) throw this.#refuse(backlog, pending, events, nowMs);
    }
  }

  /** So many events are on their way to the topic. */
  take(events: number): void {
    this.#admitted += events;
    this.#unwritten += events;
  }

  /** So many of them were written, or failed to be. */
  written(events: number): void {
    this.#unwritten -= events;
  }

  /** A unit of work of this process publishes an event. */
  unitPublishes(): void {
    this.#ofUnits += 1;
  }

  /** The reserve that is nearest to its end; undefined while every subscription but the named one is below its limit. */
  reserve(except: string): Reserve | undefined {
    const nowMs = this.#now();
    let least: Reserve | undefined;
    for (const [subscription, backlog] of this.#backlogs) {
      const { eventsMax } = backlog.limit;
      const pending = subscription === except ? 0 : this.#pendingOf(backlog, nowMs);
      const left = eventsMax * (1 + reserveShare) - pending;
      if (pending >= eventsMax && left < (least?.left ?? Number.POSITIVE_INFINITY)) least = { subscription, left };
    }
    if (nowMs - this.#lookedAtMs > (least ? ageMs.close : ageMs.far)) void this.#look();
    return least;
  }

  /** For which subscriptions publishers are being refused. */
  shedding(): readonly Shedding[] {
    const nowMs = this.#now();
    const found = [];
    for (const [backlog, refusals] of this.#refusals) {
      if (!refusals.active(nowMs)) continue;
      const { subscription, eventsMax } = backlog.limit;
      found.push({
        topic: this.#topic,
        subscription,
        lag: Math.round(this.#pendingOf(backlog, nowMs)),
        eventsMax,
        drainedPerSecond: backlog.drainedPerSecond(),
        refused: refusals.total(),
        forMs: Math.round(refusals.lastedMs(nowMs)),
      });
    }
    return found;
  }

  /** Nobody publishes any more. Never rejects. */
  async close(): Promise<void> {
    for (const name of this.#backlogs.keys()) this.#forget(name);
    await this.#publishers.leave();
  }

  #now(): number {
    return this.#parts.platform.clock.monotonic();
  }

  /** Others who press on the topic are taken to let in as much as this process does. */
  #pendingOf(backlog: Backlog, nowMs: number = this.#now()): number {
    const own = (this.#admitted - this.#admittedBefore) * this.#publishers.count(nowMs);
    return backlog.pending(this.#unseen + own + this.#ofUnits - this.#ofUnitsBefore, nowMs);
  }

  /** 1 and more: a subscription has reached its limit. */
  #fullness(nowMs: number): number {
    let most = 0;
    for (const backlog of this.#backlogs.values())
      most = Math.max(most, this.#pendingOf(backlog, nowMs) / backlog.limit.eventsMax);
    return most;
  }

  /** Never rejects. */
  #look(): Promise<void> {
    return (this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined)));
  }

  async #lookOnce(): Promise<void> {
    const { engine } = this.#parts;
    const backlogs = [...this.#backlogs.values()];
    const atMs = this.#now();
    const admitted = this.#admitted;
    const unwritten = this.#unwritten;
    const ofUnits = this.#ofUnits;
    const limits = backlogs.map(({ limit }) => limit);
    // Where the store cannot be read, the publish itself will say why.
    const lags = await readLags(engine, this.#topic, limits).catch(() => []);
    this.#lookedAtMs = atMs;
    this.#admittedBefore = admitted;
    this.#unseen = unwritten;
    this.#ofUnitsBefore = ofUnits;
    for (const [i, backlog] of backlogs.entries()) backlog.looked(lags[i], atMs);
  }

  #refuse(backlog: Backlog, pending: number, events: number, nowMs: number): TidingsError {
    const { log, platform } = this.#parts;
    const { subscription, eventsMax } = backlog.limit;
    const refusals = this.#refusals.get(backlog) as Refusals;
    const lag = Math.round(pending);
    if (refusals.add(events, nowMs))
      log.warn(
        { topic: this.#topic, subscription, lag, eventsMax },
        "publishers are refused: a subscription is behind",
      );
    this.#counters.get(subscription)?.add(events);
    const retryAfterMs = backlog.retryAfterMs(pending, refusals.lately(nowMs), platform.random.next());
    return new TidingsError(
      "TIDINGS_OVERLOADED",
      `The subscription "${subscription}" is too far behind (pending ${lag}, limit ${eventsMax}): publish to "${this.#topic}" again in ${retryAfterMs} ms.`,
      { details: { topic: this.#topic, subscription, lag, eventsMax, retryAfterMs } },
    );
  }
}
