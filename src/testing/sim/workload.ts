import { isTidingsError } from "../../errors/tidings-error.ts";
import type { Contract } from "../../event/contract.ts";
import { encode, type PublishOptions } from "../../event/encode.ts";
import { defaultLimits } from "../../event/limits.ts";
import { partitionOf } from "../../event/partitioner.ts";
import type { EventRecord } from "../../event/record.ts";
import type { Engine } from "../../ports/engine.ts";
import { identityOf, type Publish } from "../check/history.ts";
import type { Dice } from "./dice.ts";
import { hashOf } from "./measures.ts";
import { epochMs } from "./node-clock.ts";
import type { SimNode } from "./node.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Swarm } from "./swarm.ts";

/** An event to publish, as for `app.publishAll`. */
export type SimPublication = readonly [contract: Contract, data: unknown, options?: PublishOptions];

/** What a workload may do. All its time and chance must come from here. */
export interface Workload {
  /** Chance that belongs to the seed. */
  readonly dice: Dice;
  /** What the seed has decided: how many events to publish, among other things. */
  readonly swarm: Swarm;
  readonly seed: number;
  /** Waits in virtual time. */
  sleep(delayMs: number): Promise<void>;
  /**
   * Publishes through any node that runs, and again, under the same id, until it is acknowledged, as a careful client does.
   * `producer`: events of one producer to a key must then stand in the order of these calls, each awaited before the next.
   */
  publish(publication: SimPublication, producer?: string): Promise<void>;
  /** The same for a batch: all or none. */
  publishAll(publications: readonly SimPublication[]): Promise<void>;
  /** Publishes once, several as a batch, whatever becomes of it; gives the answer. */
  tryPublish(...publications: readonly SimPublication[]): Promise<Publish["answer"]>;
  /**
   * Lets an event stand in its topic once more, under the id it has, as a broker does that repeats itself; at most once for
   * an id, after it was acknowledged. With other `data` it is another event under the same identity.
   */
  repeat(publication: SimPublication): Promise<void>;
  /** Tells of a breach of your own promises, as it happens. */
  violation(message: string): void;
}

/** What a workload works with. */
export interface WorkloadContext {
  readonly name: string;
  readonly nodes: readonly SimNode[];
  readonly scheduler: Scheduler;
  readonly swarm: Swarm;
  readonly dice: Dice;
  readonly seed: number;
  readonly observer: Engine;
  readonly unexpected: (what: string, error: unknown) => void;
  readonly violation: (message: string) => void;
}

interface Sent extends Omit<Publish, "answer"> {
  readonly event: string;
}

/** The publishers of a simulation. */
export class Publishers implements Workload {
  readonly dice: Dice;
  readonly swarm: Swarm;
  readonly seed: number;
  /** What was published and how it was answered. */
  readonly published: Publish[] = [];
  /** Keys that were published to. */
  readonly keys = new Set<string>();
  readonly #context: WorkloadContext;
  readonly #sequences = new Map<string, number>();
  #ids = 0;
  #batches = 0;

  constructor(context: WorkloadContext) {
    this.#context = context;
    this.dice = context.dice;
    this.swarm = context.swarm;
    this.seed = context.seed;
  }

  sleep(delayMs: number): Promise<void> {
    return this.#context.scheduler.sleep(delayMs);
  }

  violation(message: string): void {
    this.#context.violation(message);
  }

  async publish(publication: SimPublication, producer?: string): Promise<void> {
    const identified = this.#identify(publication);
    const sent = this.#sentOf(identified, producer === undefined ? {} : this.#numbered(identified, producer));
    await this.#untilAcknowledged([identified], [sent]);
  }

  async publishAll(publications: readonly SimPublication[]): Promise<void> {
    const identified = publications.map((publication) => this.#identify(publication));
    const batch = `batch ${this.#batches++}`;
    await this.#untilAcknowledged(
      identified,
      identified.map((publication) => this.#sentOf(publication, { batch })),
    );
  }

  async tryPublish(...publications: readonly SimPublication[]): Promise<Publish["answer"]> {
    const identified = publications.map((publication) => this.#identify(publication));
    const node = await this.#someNode();
    const sent = identified.map((publication) => this.#sentOf(publication, {}));
    const answer = await this.#attempt(node, identified);
    for (const each of sent) this.published.push({ ...each, answer });
    return answer;
  }

  async repeat(publication: SimPublication): Promise<void> {
    const { observer } = this.#context;
    const [{ topic }] = publication;
    const record = this.#encode(publication);
    const partitions = (await observer.topics.find(topic.name))?.partitions ?? 1;
    const partition = record.key === null ? 0 : partitionOf(record.key, partitions);
    await observer.topics.publish([{ topic: topic.name, partition, record }]);
    const sent = this.#sentOf(publication, {});
    this.published.push({ ...sent, event: `${sent.event} (2)`, answer: "acknowledged" });
  }

  #identify([contract, data, options]: SimPublication): SimPublication {
    return [contract, data, { ...options, id: options?.id ?? `e${this.#ids++}` }];
  }

  /** Encoded as the application will: so the identity, the key and the bytes are known before. */
  #encode([contract, data, options]: SimPublication): EventRecord {
    const source = `/${this.#context.name}`;
    return encode(contract, data, options, { source, nowMs: epochMs, nextId: () => "", limits: defaultLimits });
  }

  #sentOf(publication: SimPublication, more: Partial<Sent>): Sent {
    const record = this.#encode(publication);
    if (record.key !== null) this.keys.add(record.key);
    return {
      event: identityOf(record),
      topic: publication[0].topic.name,
      key: record.key,
      payload: hashOf(record.data),
      ...more,
    };
  }

  #numbered(publication: SimPublication, producer: string): Partial<Sent> {
    const { topic, key } = this.#sentOf(publication, {});
    const name = `${producer} ${topic} ${key}`;
    const seq = this.#sequences.get(name) ?? 0;
    this.#sequences.set(name, seq + 1);
    return { producer, seq };
  }

  async #untilAcknowledged(publications: readonly SimPublication[], sent: readonly Sent[]): Promise<void> {
    for (let waitMs = 5; ; waitMs = Math.min(5000, waitMs * 2)) {
      const answer = await this.#attempt(await this.#someNode(), publications);
      for (const each of sent) this.published.push({ ...each, answer });
      if (answer === "acknowledged") return;
      await this.sleep(this.dice.between(1, waitMs));
    }
  }

  async #someNode(): Promise<SimNode> {
    for (;;) {
      const running = this.#context.nodes.filter(({ app }) => app !== undefined);
      if (running.length > 0) return this.dice.one(running);
      await this.sleep(20);
    }
  }

  /** Publishes through a node, and waits no longer than a client would. */
  async #attempt(node: SimNode, publications: readonly SimPublication[]): Promise<Publish["answer"]> {
    const { scheduler } = this.#context;
    const { app, incarnation } = node;
    if (!app) return "refused";
    const [first] = publications as readonly [SimPublication];
    const work = publications.length === 1 ? app.publish(...(first as [never, never])) : app.publishAll(publications);
    let answer: Publish["answer"] | undefined;
    work.then(
      () => (answer = "acknowledged"),
      (error: unknown) => (answer = this.#answerOf(error)),
    );
    const until = scheduler.nowMs + this.dice.spread(50, 20_000);
    for (let waitMs = 0.5; answer === undefined && scheduler.nowMs < until; waitMs = Math.min(50, waitMs * 2)) {
      if (!node.alive || node.incarnation !== incarnation) return "unknown";
      await this.sleep(waitMs);
    }
    return answer ?? "unknown";
  }

  #answerOf(error: unknown): "refused" | "unknown" {
    if (!isTidingsError(error)) {
      this.#context.unexpected("publish", error);
      return "unknown";
    }
    return error.code === "TIDINGS_OUTCOME_UNKNOWN" || error.code === "TIDINGS_CLOSED" ? "unknown" : "refused";
  }
}
