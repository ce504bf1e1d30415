import { collections, type SubscriptionDocument } from "../../delivery/records.ts";
import { messageOf } from "../../event/validate.ts";
import type { BacklogLimit } from "./lag.ts";
import { type GateParts, type Shedding, TopicGate } from "./topic-gate.ts";

/** How often it is looked which subscriptions have limits, in milliseconds. */
const everyMs = 2000;

/**
 * Refuses publishers of this process where a subscription, in whatever process it runs, has more pending than its service
 * allows. What the limits are stands in the definitions of the subscriptions.
 */
export class Admission {
  readonly #parts: GateParts;
  readonly #gates = new Map<string, TopicGate>();
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading = false;
  #stopped = false;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Reads the limits. Rejects when the store cannot be read. */
  async start(): Promise<void> {
    this.#readAtMs = this.#parts.platform.clock.monotonic();
    this.#setLimits(await this.#limits());
  }

  /** The gate of a topic; undefined when no subscription limits it. */
  gate(topic: string): TopicGate | undefined {
    if (this.#gates.size === 0) return undefined;
    // Those who are refused must hear of another limit, too.
    this.heartbeat();
    return this.#gates.get(topic);
  }

  /** Somebody publishes: reads the limits again when that is due. */
  heartbeat(monotonicMs: number = this.#parts.platform.clock.monotonic()): void {
    if (monotonicMs - this.#readAtMs < everyMs || this.#reading || this.#stopped) return;
    this.#readAtMs = monotonicMs;
    this.#reading = true;
    void this.#readAgain();
  }

  /** For which subscriptions publishers of this process are being refused. */
  shedding(): readonly Shedding[] {
    return [...this.#gates.values()].flatMap((gate) => gate.shedding());
  }

  /** Nobody publishes any more. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#gates.values()].map((gate) => gate.close()));
  }

  /** Never rejects. */
  async #readAgain(): Promise<void> {
    try {
      const limits = await this.#limits();
      if (!this.#stopped) this.#setLimits(limits);
    } catch (error) {
      this.#parts.log.warn({ err: messageOf(error) }, "the limits of subscriptions could not be read");
    }
    this.#reading = false;
  }

  async #limits(): Promise<ReadonlyMap<string, readonly BacklogLimit[]>> {
    const limits = new Map<string, BacklogLimit[]>();
    const documents = (await this.#parts.engine.state?.scan(collections.subscriptions, { limit: 100_000 })) ?? [];
    for (const { key: subscription, value } of documents) {
      // Most have none, and there may be thousands of them.
      if (!value.includes('"backlog"')) continue;
      const { topic, partitions, backlog } = JSON.parse(value) as SubscriptionDocument;
      if (!backlog) continue;
      const limit = { subscription, topic, partitions, eventsMax: backlog.eventsMax };
      const ofTopic = limits.get(topic);
      if (ofTopic) ofTopic.push(limit);
      else limits.set(topic, [limit]);
    }
    return limits;
  }

  #setLimits(limits: ReadonlyMap<string, readonly BacklogLimit[]>): void {
    for (const [topic, gate] of this.#gates) {
      if (limits.has(topic)) continue;
      this.#gates.delete(topic);
      void gate.close();
    }
    for (const [topic, ofTopic] of limits) {
      const gate = this.#gates.get(topic) ?? new TopicGate(this.#parts, topic);
      this.#gates.set(topic, gate);
      gate.setLimits(ofTopic);
    }
  }
}
