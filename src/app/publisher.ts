import { TidingsError } from "../errors/tidings-error.ts";
import { checkContract, type Contract } from "../event/contract.ts";
import { encode, type PublishOptions } from "../event/encode.ts";
import { type Event, eventOf } from "../event/envelope.ts";
import type { EventLimits } from "../event/limits.ts";
import { keylessPartitions, partitionOf } from "../event/partitioner.ts";
import type { Hooks } from "../delivery/hooks.ts";
import type { Counter, Histogram, Metrics } from "../delivery/metrics.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { TopicEntry } from "../ports/topics.ts";
import type { Admission } from "./admission/admission.ts";
import { PublishOrder } from "./admission/publish-order.ts";
import type { TopicGate } from "./admission/topic-gate.ts";
import type { PublishLimits } from "./options.ts";
import { checkPublications, ofPublication } from "./publications.ts";
import type { TopicBook } from "./topic-book.ts";

/** One event of `publishAll`. */
export type Publication = readonly [contract: Contract, data: unknown, options?: PublishOptions];

/** Nobody is told where an event stands. */
const noPositions = { positions: false } as const;

/** Gates, each with how many events pass it. */
type Passages = readonly (readonly [gate: TopicGate, events: number])[];

/** What a publisher works with. */
export interface PublisherOptions {
  readonly engine: Engine;
  readonly platform: Platform;
  readonly source: string;
  readonly limits: EventLimits & { readonly publish: PublishLimits };
  readonly topics: TopicBook;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly hooks: Hooks;
}

/** Publishes from outside of handlers. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #keyless: (partitions: number) => number;
  readonly #sent: Counter;
  readonly #refused: Counter;
  readonly #duration: Histogram;
  /** One for all events: only the time in it changes. */
  readonly #encodeContext;
  readonly #order = new PublishOrder();
  /** Waiting to be written. */
  #events = 0;
  #bytes = 0;

  constructor(options: PublisherOptions) {
    const { engine, platform, metrics, source, limits } = options;
    const attributes = { "messaging.system": engine.name, "messaging.operation.name": "publish" };
    this.#options = options;
    this.#keyless = keylessPartitions(platform.random.uint32());
    this.#sent = metrics.counter("messaging.client.sent.messages", "{message}", attributes);
    this.#refused = metrics.counter("tidings.publish.refused", "{message}", attributes);
    this.#duration = metrics.histogram("messaging.client.operation.duration", "s", attributes);
    this.#encodeContext = { source, nowMs: 0, nextId: platform.ids.next, limits };
  }

  /** `reserved`: whoever publishes must not be refused for the backlog of a subscription, which it may help to drain. */
  publish(
    contract: Contract,
    data: unknown,
    options: PublishOptions | undefined,
    reserved: boolean = false,
  ): Promise<Event> {
    checkContract("publish", contract);
    if (!reserved && this.#order.isBusy(contract.topic.name)) return this.#publishBehind(contract, data, options);
    return this.#publishNext(contract, data, options, reserved, undefined);
  }

  /** Behind those that wait in its topic. By itself, so that the others need not make what it is made of. */
  #publishBehind(contract: Contract, data: unknown, options: PublishOptions | undefined): Promise<Event> {
    const topics = new Set([contract.topic.name]);
    return this.#order.queueUp(topics, (leave) => this.#publishNext(contract, data, options, false, leave));
  }

  /** `leave`: those who wait behind it may go on. */
  #publishNext(
    contract: Contract,
    data: unknown,
    options: PublishOptions | undefined,
    reserved: boolean,
    leave: (() => void) | undefined,
  ): Promise<Event> {
    if (this.#options.topics.known(contract.topic) === undefined)
      return this.#declareAndPublish(contract, data, options, reserved, leave);
    const gate = this.#options.admission.gate(contract.topic.name);
    if (gate && !reserved && !gate.ready())
      return gate.wait(() => this.#publishReady(contract, data, options, gate, reserved, leave));
    return this.#publishReady(contract, data, options, gate, reserved, leave);
  }

  #publishReady(
    contract: Contract,
    data: unknown,
    options: PublishOptions | undefined,
    gate: TopicGate | undefined,
    reserved: boolean,
    leave: (() => void) | undefined,
  ): Promise<Event> {
    try {
      this.#admit(1);
      if (!reserved) gate?.check(1);
      const partitions = this.#options.topics.known(contract.topic) as number;
      const entry = this.#entryOf(contract, data, options, partitions);
      const published = this.#append([entry], gate && [[gate, 1]], () => eventOf(entry.record, data));
      leave?.();
      return published;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #declareAndPublish(
    contract: Contract,
    data: unknown,
    options: PublishOptions | undefined,
    reserved: boolean,
    leave: (() => void) | undefined,
  ): Promise<Event> {
    this.#admit(1);
    await this.#options.topics.declare(contract.topic);
    return this.#publishNext(contract, data, options, reserved, leave);
  }

  /** Inside a transaction of the user: it may be rolled back, so that nothing here counts what was sent. */
  async publishIn(
    transaction: unknown,
    contract: Contract,
    data: unknown,
    options: PublishOptions | undefined,
  ): Promise<Event> {
    const { engine, topics, admission } = this.#options;
    const { topics: port } = engine;
    if (!port.publishIn)
      throw new TidingsError(
        "TIDINGS_UNSUPPORTED",
        `app.publishIn joins a transaction of your own, and nobody can join those of the engine "${engine.name}"; postgres has them.`,
        { details: { engine: engine.name } },
      );
    await topics.declare(contract.topic);
    admission.gate(contract.topic.name)?.check(1);
    const entry = this.#entryOf(contract, data, options, topics.known(contract.topic) as number);
    await port.publishIn(transaction, [entry]);
    return eventOf(entry.record, data);
  }

  /** All or none. */
  async publishAll(publications: readonly Publication[]): Promise<readonly Event[]> {
    checkPublications(publications);
    this.#admit(publications.length);
    const { topics } = this.#options;
    const named = new Set(publications.map(([{ topic }]) => topic.name));
    // Nothing is awaited where nothing has to be: publishes to a key commit in the order of the calls.
    const isKnown = publications.every(
      ([{ topic }]) => topics.known(topic) !== undefined && !this.#order.isBusy(topic.name),
    );
    const gates = isKnown ? this.#gatesOf(publications) : undefined;
    if (isKnown && (gates?.every(([gate]) => gate.ready()) ?? true)) return this.#publishAllReady(publications, gates);
    return this.#order.queueUp(named, (leave) => this.#publishAllInTurn(publications, leave));
  }

  /** Goes on behind declarations and gates. Whoever comes later in one of its topics waits until it is on its way. */
  async #publishAllInTurn(publications: readonly Publication[], leave: () => void): Promise<readonly Event[]> {
    const { topics } = this.#options;
    for (const [{ topic }] of publications) if (topics.known(topic) === undefined) await topics.declare(topic);
    return this.#publishAllThrough(publications, this.#gatesOf(publications) ?? [], 0, leave);
  }

  /** Asks each gate from the one with this index on whether it is ready. */
  #publishAllThrough(
    publications: readonly Publication[],
    gates: Passages,
    from: number,
    leave: () => void,
  ): Promise<readonly Event[]> {
    const index = gates.findIndex(([gate], i) => i >= from && !gate.ready());
    const found = gates[index];
    if (found) return found[0].wait(() => this.#publishAllThrough(publications, gates, index + 1, leave));
    const published = this.#publishAllReady(publications, gates);
    leave();
    return published;
  }

  async #publishAllReady(publications: readonly Publication[], gates: Passages | undefined): Promise<readonly Event[]> {
    const { topics } = this.#options;
    for (const [gate, events] of gates ?? []) gate.check(events);
    const entries = publications.map(([contract, data, options], index) => {
      try {
        return this.#entryOf(contract, data, options, topics.known(contract.topic) as number);
      } catch (error) {
        throw ofPublication(error, index);
      }
    });
    return this.#append(entries, gates, () => entries.map(({ record }, i) => eventOf(record, publications[i]?.[1])));
  }

  /** The gates that these events pass, with how many pass each; undefined when there is none. */
  #gatesOf(publications: readonly Publication[]): Passages | undefined {
    const counts = new Map<TopicGate, number>();
    for (const [{ topic }] of publications) {
      const gate = this.#options.admission.gate(topic.name);
      if (gate) counts.set(gate, (counts.get(gate) ?? 0) + 1);
    }
    return counts.size === 0 ? undefined : [...counts];
  }

  pending(): { readonly events: number; readonly bytes: number } {
    return { events: this.#events, bytes: this.#bytes };
  }

  /** Refuses what would pile up in memory: the disk is behind, and waiting for it is the publisher's choice. */
  #admit(more: number): void {
    const { eventsMax, bytesMax } = this.#options.limits.publish;
    if (this.#events + more <= eventsMax && this.#bytes < bytesMax) return;
    this.#refused.add(more);
    throw new TidingsError(
      "TIDINGS_OVERLOADED",
      `${this.#events} publishes wait to be written, more than the limit of ${eventsMax} events or ${bytesMax} bytes: await earlier ones, or try again in a moment.`,
      { details: { waiting: this.#events, retryAfterMs: 50 } },
    );
  }

  #entryOf(contract: Contract, data: unknown, options: PublishOptions | undefined, partitions: number): TopicEntry {
    const { platform, hooks } = this.#options;
    const topic = contract.topic.name;
    this.#encodeContext.nowMs = platform.clock.now();
    const record = encode(contract, data, options, this.#encodeContext);
    hooks.onPublish?.(topic, record);
    const partition = record.key === null ? this.#keyless(partitions) : partitionOf(record.key, partitions);
    return options?.id === undefined ? { topic, partition, record } : { topic, partition, record, checkId: true };
  }

  /** A chain without async functions, because every single publish goes through it. */
  #append<Result>(entries: readonly TopicEntry[], gates: Passages | undefined, answer: () => Result): Promise<Result> {
    const { engine, platform, admission } = this.#options;
    let size = 0;
    for (const { record } of entries) size += (record.data?.length ?? 0) + 200;
    const startedAt = platform.clock.monotonic();
    admission.heartbeat(startedAt);
    if (gates) for (const [gate, events] of gates) gate.take(events);
    this.#events += entries.length;
    this.#bytes += size;
    const settled = (): void => {
      this.#events -= entries.length;
      this.#bytes -= size;
      if (gates) for (const [gate, events] of gates) gate.written(events);
    };
    return engine.topics.publish(entries, noPositions).then(
      () => {
        settled();
        this.#sent.add(entries.length);
        this.#duration.record((platform.clock.monotonic() - startedAt) / 1000);
        return answer();
      },
      (error: unknown) => {
        settled();
        throw error;
      },
    );
  }
}
