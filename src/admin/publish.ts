import { recordFromCloudEvent } from "../event/from-cloud-event.ts";
import { keylessPartitions, partitionOf } from "../event/partitioner.ts";
import type { TopicEntry, TopicSpec } from "../ports/topics.ts";
import type { AdminContext } from "./context.ts";
import { findTopic } from "./topics.ts";

/** An event to publish as it is: no contract is asked, handlers validate it when they get it. */
export type RawEvent =
  | { readonly topic: string; /** CloudEvents in structured JSON, parsed. */ readonly cloudEvent: unknown }
  | {
      readonly topic: string;
      readonly type: string;
      readonly data?: unknown;
      readonly key?: string | null;
      readonly id?: string;
      readonly source?: string;
      /** RFC 3339; now unless given. */
      readonly time?: string;
      /** Further CloudEvents attributes: `subject`, `correlationid`, `tenantid`, extensions. */
      readonly attributes?: Readonly<Record<string, unknown>>;
    };

/** Where a published event lies. */
export interface PublishedEvent {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** True when an event of this identity was there already. */
  readonly duplicate: boolean;
}

/** Makes a function that publishes raw events: all of a call or none. With `dryRun` everything is checked and nothing written. */
export function publisherOf(context: AdminContext) {
  const { engine, platform } = context;
  const keyless = keylessPartitions(platform.random.uint32());

  async function specsOf(events: readonly RawEvent[]): Promise<ReadonlyMap<string, TopicSpec>> {
    const specs = new Map<string, TopicSpec>();
    for (const { topic } of events) if (!specs.has(topic)) specs.set(topic, await findTopic(engine, topic));
    return specs;
  }

  return async (
    events: readonly RawEvent[],
    options: { readonly dryRun?: boolean } = {},
  ): Promise<readonly PublishedEvent[]> => {
    const specs = await specsOf(events);
    const entries = events.map((event) => entryOf(context, event, specs.get(event.topic) as TopicSpec, keyless));
    const appended = options.dryRun ? [] : await engine.topics.publish(entries);
    return entries.map(({ topic, partition, record }, i) => ({
      id: record.id,
      topic,
      partition,
      position: appended[i]?.position ?? -1,
      duplicate: appended[i]?.duplicate ?? false,
    }));
  };
}

function entryOf(
  { platform, source, limits }: AdminContext,
  event: RawEvent,
  { name, partitions }: TopicSpec,
  keyless: (partitions: number) => number,
): TopicEntry {
  const timeMs = platform.clock.now();
  const chosen = "cloudEvent" in event ? true : event.id !== undefined;
  const json = "cloudEvent" in event ? event.cloudEvent : cloudEventOf(event, source, () => platform.ids.next());
  const record = recordFromCloudEvent(json, { timeMs, limits });
  const partition = record.key === null ? keyless(partitions) : partitionOf(record.key, partitions);
  return { topic: name, partition, record, ...(chosen ? { checkId: true } : {}) };
}

function cloudEventOf(
  event: Extract<RawEvent, { type: string }>,
  source: string,
  nextId: () => string,
): Record<string, unknown> {
  return {
    ...event.attributes,
    specversion: "1.0",
    id: event.id ?? nextId(),
    source: event.source ?? source,
    type: event.type,
    ...(event.time === undefined ? {} : { time: event.time }),
    ...(event.key === undefined || event.key === null ? {} : { partitionkey: event.key }),
    ...(event.data === undefined ? {} : { data: event.data }),
  };
}
