import type { RetentionRule, TopicSpec } from "../../ports/topics.ts";
import type { Api } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import type { Consumers, Delivered } from "./consumer.ts";
import { Refusal, toTidingsError, unreachable } from "./failure.ts";
import { bytesOf } from "./headers.ts";
import { streamOf } from "./names.ts";
import type { Settings } from "./options.ts";
import type { Reader } from "./reader.ts";
import type { Platform } from "../../platform/platform.ts";

/** Most events of a partition that one step removes. */
const stepEvents = 10_000;
/** What a stored message with headers takes beside them, its subject and its payload. */
const messageOverhead = 34;

export interface RetentionParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly api: Api;
  readonly catalog: Catalog;
  readonly consumers: Consumers;
  readonly reader: Reader;
}

/** See `Topics.positionsAt`. */
export async function positionsAt(parts: RetentionParts, name: string, timeMs: number): Promise<readonly number[]> {
  const topic = await parts.catalog.topic(name);
  return Promise.all(streamsOf(parts, topic).map((stream) => positionAt(parts, stream, timeMs)));
}

/** See `Topics.retain`. */
export async function retain(parts: RetentionParts, name: string, rule: RetentionRule): Promise<number> {
  const topic = await parts.catalog.topic(name);
  let removed = 0;
  for (const [partition, stream] of streamsOf(parts, topic).entries())
    removed += await retainPartition(parts, stream, rule, rule.floor?.[partition]);
  return removed;
}

async function retainPartition(
  parts: RetentionParts,
  stream: string,
  { appendedBeforeMs, partitionBytesMax }: RetentionRule,
  floor: number | undefined,
): Promise<number> {
  const { first, next, bytes } = await parts.reader.state(stream);
  const last = Math.min(next, first + stepEvents, floor ?? next);
  if (last <= first) return 0;
  let cut = first;
  if (appendedBeforeMs !== undefined) cut = Math.max(cut, await positionAt(parts, stream, appendedBeforeMs));
  if (partitionBytesMax !== undefined && bytes > partitionBytesMax && cut < last)
    cut = Math.max(cut, await behind(parts, stream, bytes - partitionBytesMax, last - first));
  cut = Math.min(cut, last);
  if (cut <= first) return 0;
  const { api, settings, reader } = parts;
  try {
    const { purged } = await api.ask<{ purged: number }>(`STREAM.PURGE.${stream}`, { seq: cut + 1 });
    return purged;
  } catch (error) {
    throw error instanceof Refusal ? toTidingsError(error, settings.address) : error;
  } finally {
    reader.forget(stream);
  }
}

/** The first position appended at or after the instant: where the server begins a consumer of that time. */
async function positionAt(
  { consumers, reader, settings }: RetentionParts,
  stream: string,
  timeMs: number,
): Promise<number> {
  const { first, next } = await reader.state(stream);
  if (first >= next) return next;
  try {
    const { name, delivered } = await consumers.make(stream, { timeMs: Math.max(0, Math.min(timeMs, farMs)) });
    consumers.drop(stream, name);
    return Math.max(first, delivered.stream_seq);
  } catch (error) {
    throw error instanceof Refusal ? toTidingsError(error, settings.address) : error;
  }
}

/** Beyond this the server's times overflow. */
const farMs = Date.UTC(2200, 0, 1);

/** The position behind the oldest events that have so many bytes together, at most so many events. */
async function behind(parts: RetentionParts, stream: string, bytes: number, eventsMax: number): Promise<number> {
  const { consumers, reader, platform, settings } = parts;
  const { first } = await reader.state(stream);
  return new Promise<number>((resolve, reject) => {
    let [excess, position] = [bytes, first];
    let name: string | undefined;
    const done = (error?: Error): void => {
      cancel();
      if (name !== undefined) consumers.drop(stream, name);
      name = undefined;
      if (error) reject(error);
      else resolve(position);
    };
    const cancel = platform.clock.after(settings.requestTimeoutMs, () =>
      done(unreachable(settings.address, undefined)),
    );
    const taker = {
      delivered(delivered: Delivered) {
        if (excess <= 0) return;
        position = delivered.sequence;
        excess -= storedBytes(delivered);
        if (excess <= 0 || delivered.pending === 0) done();
      },
      ended: () => done(),
      lost: () => done(unreachable(settings.address, undefined)),
    };
    const begin = async (): Promise<void> => {
      try {
        const made = await consumers.make(stream, { sequence: first + 1 }, taker, true);
        name = made.name;
        consumers.pull(stream, made.name, 1, eventsMax, 0);
      } catch (error) {
        done(toTidingsError(error, settings.address));
      }
    };
    void begin();
  });
}

/** What the server counts for a message, of which it has sent the headers only. */
function storedBytes({ message }: Delivered): number {
  const size = Number(message.headers?.get("Nats-Msg-Size") ?? 0);
  // It has added that header itself, with its line end.
  const added = `Nats-Msg-Size: ${size}\r\n`.length;
  return messageOverhead + message.subject.length + bytesOf(message) - added + size;
}

function streamsOf({ settings }: RetentionParts, { name, partitions }: TopicSpec): string[] {
  return Array.from({ length: partitions }, (_, partition) => streamOf(settings.prefix, name, partition));
}
