import { TidingsError } from "../../errors/tidings-error.ts";
import { checkName } from "../../event/names.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import type { Draft } from "./draft.ts";

/** Throws TIDINGS_INVALID_NAME, TIDINGS_INVALID_OPTION, and TIDINGS_UNSUPPORTED for a bound that this engine cannot keep; answers with a copy. */
export function checkSpec(
  { name, partitions, bytesKept }: TopicSpec,
  partitionsMax: number,
  bounded = false,
): TopicSpec {
  checkName("topic", name);
  if (bytesKept !== undefined && !bounded) throw noBound(name);
  if (bytesKept !== undefined && (!Number.isSafeInteger(bytesKept) || bytesKept < 1))
    throw new TidingsError("TIDINGS_INVALID_OPTION", `Topic "${name}" may keep a whole number of bytes, not ${bytesKept}.`, { details: { topic: name } }); // prettier-ignore
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= partitionsMax)
    return { name, partitions, ...(bytesKept === undefined ? {} : { bytesKept }) };
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `Topic "${name}" may have 1 to ${partitionsMax} partitions, not ${partitions}.`,
    { details: { topic: name, partitions } },
  );
}

/** The rejection of a topic with a bound by an engine that removes only what it is told to. */
export function noBound(topic: string): TidingsError {
  return new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `Topic "${topic}" has a bound of bytes, which this engine cannot keep by itself.`,
    { details: { topic } },
  );
}

/** The topics that do not exist, each once. Throws TIDINGS_PARTITIONS_CHANGED for one that exists otherwise. */
export function missingOf(
  specs: readonly TopicSpec[],
  find: (name: string) => TopicSpec | undefined,
): readonly TopicSpec[] {
  const missing = new Map<string, TopicSpec>();
  for (const spec of specs) {
    const existing = find(spec.name) ?? missing.get(spec.name);
    if (existing) checkSame(existing, spec);
    else missing.set(spec.name, spec);
  }
  return [...missing.values()];
}

/** Throws TIDINGS_PARTITIONS_CHANGED. */
export function checkSame(existing: TopicSpec, spec: TopicSpec): void {
  if (existing.partitions === spec.partitions) return;
  throw new TidingsError(
    "TIDINGS_PARTITIONS_CHANGED",
    `Topic "${spec.name}" has ${existing.partitions} partitions and was declared with ${spec.partitions}.`,
    { details: { topic: spec.name, partitions: existing.partitions, declared: spec.partitions } },
  );
}

export function noTopic(name: string): TidingsError {
  return new TidingsError("TIDINGS_NOT_FOUND", `There is no topic "${name}"; declare it first.`, {
    details: { topic: name },
  });
}

export function noPartition({ name, partitions }: TopicSpec, partition: number): TidingsError {
  return new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `Topic "${name}" has the partitions 0 to ${partitions - 1}, not ${partition}.`,
    { details: { topic: name, partition } },
  );
}

/** Throws TIDINGS_INVALID_OPTION for what is no position. */
export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0)
    throw new TidingsError("TIDINGS_INVALID_OPTION", `A position is a whole number of at least 0, not ${position}.`);
}

/** The rejection of a publish of which an id means another payload. */
export function idConflict({ id, source }: Pick<Draft, "id" | "source">, index: number): TidingsError {
  return new TidingsError(
    "TIDINGS_ID_CONFLICT",
    `The event "${id}" of source "${source}" was published with another payload.`,
    { details: { id, source, index } },
  );
}
