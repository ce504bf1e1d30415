import { TidingsError } from "../../errors/tidings-error.ts";
import { payloadHash } from "../../event/hash.ts";
import { recordBytes } from "../../event/record.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import type { Bodies } from "./body.ts";

/** What a batch needs beside its records. */
export const batchOverhead = 61;
/** What a record may need beside what stands in its draft: its length, attributes, time and place. */
export const recordOverhead = 16;

/** An event on its way. */
export interface Draft {
  readonly topic: string;
  readonly partition: number;
  readonly id: string;
  readonly source: string;
  /** Of an event whose id the caller chose: what it is known by, and the hash of what it says. */
  readonly mark: string | undefined;
  readonly hash: string | undefined;
  /** Key, value and headers as they stand in a batch; our own copy. */
  readonly body: Buffer;
}

export interface WireLimits {
  /** Largest event, by `recordBytes`. */
  readonly eventBytesMax: number;
}

/** An entry as CloudEvents in binary mode. Throws TIDINGS_EVENT_TOO_LARGE. */
export function draftOf(
  { topic, partition, record, checkId }: TopicEntry,
  { eventBytesMax }: WireLimits,
  bodies: Bodies,
): Draft {
  const { id, source } = record;
  const mark = checkId ? `${source}\n${id}` : undefined;
  const draft = { topic, partition, id, source, mark, hash: checkId ? payloadHash(record) : undefined, body: bodies.of(record) }; // prettier-ignore
  // Most are far below; the exact count is dear.
  if (draft.body.length > eventBytesMax / 2) {
    const size = recordBytes(record);
    if (size > eventBytesMax) throw tooLarge(draft, size, eventBytesMax, "bytes");
  }
  return draft;
}

/** Refuses what does not fit into the largest batch of its topic, alone. */
export function checkFits(draft: Draft, batchBytesMax: number): void {
  const bytes = draft.body.length + batchOverhead + recordOverhead;
  if (bytes > batchBytesMax) throw tooLarge(draft, bytes, batchBytesMax, "bytes with its headers");
}

function tooLarge({ topic, id }: Draft, bytes: number, bytesMax: number, unit: string): TidingsError {
  return new TidingsError(
    "TIDINGS_EVENT_TOO_LARGE",
    `The event "${id}" for topic "${topic}" has ${bytes} ${unit}; at most ${bytesMax} are taken by Kafka here.`,
    { details: { topic, bytes, bytesMax } },
  );
}
