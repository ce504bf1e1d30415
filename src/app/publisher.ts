import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract } from "../event/contract.ts";
import { encode, type PublishOptions } from "../event/encode.ts";
import { type Event, eventOf } from "../event/envelope.ts";
import type { EventLimits } from "../event/limits.ts";
import { keylessPartitions, partitionOf } from "../event/partitioner.ts";
import { dataBytes } from "../event/record.ts";
import type { Hooks } from "../delivery/hooks.ts";
import type { Metrics } from "../delivery/metrics.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { TopicEntry } from "../ports/topics.ts";
import type { PublishLimits } from "./options.ts";
import type { TopicBook } from "./topic-book.ts";

/** One event of `publishAll`. */
export type Publication = readonly [
  contract: Contract<string, never, unknown>,
  data: unknown,
  options?: PublishOptions,
];

/** Publishes from outside of handlers. */
export interface Publisher {
  publish(contract: Contract, data: unknown, options: PublishOptions | undefined): Promise<Event>;
  /** All or none. */
  publishAll(publications: readonly Publication[]): Promise<readonly Event[]>;
  pending(): { readonly events: number; readonly bytes: number };
}

/** What a publisher works with. */
export interface PublisherOptions {
  readonly engine: Engine;
  readonly platform: Platform;
  readonly source: string;
  readonly limits: EventLimits & { readonly publish: PublishLimits };
  readonly topics: TopicBook;
  readonly metrics: Metrics;
  readonly hooks: Hooks;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { engine, platform, limits, topics, hooks } = options;
  const { clock, ids } = platform;
  const keyless = keylessPartitions(platform.random.uint32());
  const attributes = { "messaging.system": engine.name, "messaging.operation.name": "publish" };
  const sent = options.metrics.counter("messaging.client.sent.messages", "{message}", attributes);
  const duration = options.metrics.histogram("messaging.client.operation.duration", "s", attributes);
  const refused = options.metrics.counter("tidings.publish.refused", "{message}", attributes);
  const encodeContext = { source: options.source, nowMs: 0, nextId: ids.next, limits };
  let events = 0;
  let bytes = 0;

  function entryOf(
    contract: Contract,
    data: unknown,
    publishOptions: PublishOptions | undefined,
    partitions: number,
  ): TopicEntry {
    encodeContext.nowMs = clock.now();
    const record = encode(contract, data, publishOptions, encodeContext);
    hooks.onPublish?.(contract.topic.name, record);
    const partition = record.key === null ? keyless(partitions) : partitionOf(record.key, partitions);
    if (publishOptions?.id === undefined) return { topic: contract.topic.name, partition, record };
    return { topic: contract.topic.name, partition, record, checkId: true };
  }

  /** Refuses what would pile up in memory: the disk is behind, and waiting for it is the publisher's choice. */
  function admit(more: number): void {
    if (events + more <= limits.publish.eventsMax && bytes < limits.publish.bytesMax) return;
    refused.add(more);
    throw new TidingsError(
      "TIDINGS_OVERLOADED",
      `${events} publishes wait to be written, more than the limit of ${limits.publish.eventsMax} events or ${limits.publish.bytesMax} bytes: await earlier ones, or try again in a moment.`,
      { details: { waiting: events, retryAfterMs: 50 } },
    );
  }

  async function append(entries: readonly TopicEntry[]): Promise<void> {
    const size = entries.reduce((sum, { record }) => sum + dataBytes(record.data) + 200, 0);
    const startedAt = clock.monotonic();
    events += entries.length;
    bytes += size;
    try {
      await engine.topics.publish(entries);
      sent.add(entries.length);
      duration.record((clock.monotonic() - startedAt) / 1000);
    } finally {
      events -= entries.length;
      bytes -= size;
    }
  }

  return {
    async publish(contract, data, publishOptions) {
      admit(1);
      const known = topics.known(contract.topic);
      const partitions = known ?? (await topics.declare(contract.topic));
      const entry = entryOf(contract, data, publishOptions, partitions);
      await append([entry]);
      return eventOf(entry.record, data);
    },
    async publishAll(publications) {
      admit(publications.length);
      for (const [contract] of publications) await topics.declare(contract.topic);
      const entries = publications.map(([contract, data, publishOptions]) =>
        entryOf(contract as unknown as Contract, data, publishOptions, topics.known(contract.topic) as number),
      );
      await append(entries);
      return entries.map(({ record }, i) => eventOf(record, publications[i]?.[1]));
    },
    pending: () => ({ events, bytes }),
  };
}
