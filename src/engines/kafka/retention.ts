import { TidingsError } from "../../errors/tidings-error.ts";
import type { RetentionRule } from "../../ports/topics.ts";
import type { Api } from "./api.ts";
import type { Catalog, KnownTopic } from "./catalog.ts";
import { Refusal, toTidingsError } from "./failure.ts";
import { answered } from "./link.ts";
import type { Settings } from "./options.ts";
import type { Reader } from "./reader.ts";

export interface RetentionParts {
  readonly settings: Settings;
  readonly api: Api;
  readonly catalog: Catalog;
  readonly reader: Reader;
}

/** Beyond this no event is. */
const farMs = Date.UTC(2200, 0, 1);
const policyForbids = 44;

/** See `Topics.positionsAt`. */
export async function positionsAt(parts: RetentionParts, name: string, timeMs: number): Promise<readonly number[]> {
  const topic = await parts.catalog.topic(name);
  const bounds = await parts.reader.bounds(name);
  const found = await parts.reader.offsets(topic, BigInt(Math.ceil(Math.max(0, Math.min(timeMs, farMs)))));
  return bounds.map(({ first, next }, partition) => {
    const offset = found[partition] ?? -1;
    return offset < 0 ? next : Math.min(Math.max(offset, first), next);
  });
}

/** See `Topics.retain`. Throws TIDINGS_UNSUPPORTED for a limit in bytes. */
export async function retain(parts: RetentionParts, name: string, rule: RetentionRule): Promise<number> {
  const { appendedBeforeMs, partitionBytesMax, floor } = rule;
  if (partitionBytesMax !== undefined) throw noSizes(name);
  const topic = await parts.catalog.topic(name);
  if (appendedBeforeMs === undefined) return 0;
  const bounds = await parts.reader.bounds(name);
  const positions = await positionsAt(parts, name, appendedBeforeMs);
  let removed = 0;
  for (const [partition, { first }] of bounds.entries()) {
    const cut = Math.min(positions[partition] as number, floor?.[partition] ?? Number.MAX_SAFE_INTEGER);
    if (cut <= first) continue;
    await cutOff(parts, topic, partition, cut);
    removed += cut - first;
  }
  parts.reader.forget(topic);
  return removed;
}

/** Brokers move the beginning at once, and remove files when a whole one lies before it. */
async function cutOff(
  { api, settings }: RetentionParts,
  topic: KnownTopic,
  partition: number,
  cut: number,
): Promise<void> {
  const { address, requestTimeoutMs } = settings;
  try {
    await api.retry(async () => {
      const connection = await api.link.connection(topic.leaders[partition] ?? -1, "control");
      const partitions = [{ partitionIndex: partition, offset: BigInt(cut) }];
      const answer = await answered(
        api.client.deleteRecordsV2.api.async(connection, [{ name: topic.name, partitions }], requestTimeoutMs),
      );
      const errorCode = answer.topics[0]?.partitions[0]?.errorCode ?? 5;
      // What is gone already is gone.
      if (errorCode !== 0 && errorCode !== 1) throw new Refusal(errorCode, `removing events of topic "${topic.name}"`);
    }, `permission Delete of topic "${topic.name}"`);
  } catch (error) {
    if (error instanceof Refusal && error.number === policyForbids) throw compacted(topic, address);
    throw toTidingsError(error, address);
  }
}

function compacted({ name }: KnownTopic, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `Nothing can be removed from topic "${name}" at ${address}: its cleanup.policy is not "delete".`,
    { details: { topic: name, address } },
  );
}

function noSizes(name: string): TidingsError {
  return new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `Kafka does not tell how large the partitions of topic "${name}" are: set retention by age, or retention.bytes of the topic.`,
    { details: { topic: name } },
  );
}
