import { TidingsError } from "../errors/tidings-error.ts";
import { partitionOf } from "../event/partitioner.ts";
import type { StoredRecord } from "../event/record.ts";
import { stamped } from "../event/relay-stamp.ts";
import type { TopicEntry } from "../ports/topics.ts";

/** The topic of the store in which events wait for their relay. Its rows are events with two attributes more. */
export const outboxTopic = "tidings.outbox";

/** The topic of the broker in which the stores of its subscriptions stand. */
export const storesTopic = "tidings.stores";

/** So many relays may work beside each other. Fixed for the life of a store: the order of a key rests on it. */
export const outboxPartitions = 4;

/** Where an event is to go: topic and partition. */
const targetAttribute = "tidingsto";
/** Its publisher has chosen the id, and the broker is to look for it. */
const onceAttribute = "tidingsonce";

/** The most that a row takes beyond its event, in bytes: the attributes, with the longest name of a topic. */
export const rowBytes = 320;
/** The most that a stamp takes, in bytes. */
export const stampBytes = 96;

/** The row of an event. What goes to one partition of a topic stays in one partition of the outbox, in its order. */
export function rowOf({ topic, partition, record, checkId }: TopicEntry): TopicEntry {
  const attributes: Record<string, string> = { ...record.attributes, [targetAttribute]: `${topic}/${partition}` };
  if (checkId) attributes[onceAttribute] = "1";
  return {
    topic: outboxTopic,
    partition: (partitionOf(topic, outboxPartitions) + partition) % outboxPartitions,
    record: { ...record, attributes },
    ...(checkId ? { checkId } : {}),
  };
}

/** The event of a row, stamped as this stream's. Throws TIDINGS_RECORD_CORRUPT when it is no row. */
export function entryOf(row: StoredRecord, stream: string): TopicEntry {
  const { topic, partition, position, appendedAtMs: _, ...record } = row;
  const { [targetAttribute]: target = "", [onceAttribute]: once, ...attributes } = record.attributes ?? {};
  const slash = target.lastIndexOf("/");
  if (slash <= 0)
    throw new TidingsError(
      "TIDINGS_RECORD_CORRUPT",
      `The event at ${topic}/${partition}/${position} does not say where it is to go, so it is no row of an outbox.`,
      { details: { topic, partition, position } },
    );
  return {
    topic: target.slice(0, slash),
    partition: Number(target.slice(slash + 1)),
    record: stamped({ ...record, attributes }, { stream, sequence: position }),
    ...(once === undefined ? {} : { checkId: true }),
  };
}
