import { TidingsError } from "../../errors/tidings-error.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import { onChannel } from "./client.ts";
import { describeFailure, failureKind } from "./failure.ts";
import type { Link } from "./link.ts";
import { queueOf } from "./names.ts";
import type { Settings } from "./options.ts";

/** So many requests are under way at once. */
const atOnce = 16;
/** Of streams with a bound: each segment is two files. */
const segmentBytesMin = 64 * 1024;

/**
 * Makes a stream unless it is there. It is cut as the settings say; with `bytesKept` so that at least so many bytes stay, and with
 * infinitely many never. Throws TIDINGS_SERVER_UNSAFE for a queue of that name that is none.
 */
export async function makeStream(link: Link, settings: Settings, name: string, bytesKept?: number): Promise<void> {
  const { replicas } = settings;
  const options = {
    "x-queue-type": "stream",
    ...(replicas === undefined ? {} : { "x-initial-cluster-size": replicas }),
    ...(bytesKept === undefined ? cutAsSet(settings) : bytesKept === Infinity ? {} : cutBehind(bytesKept, settings)),
  };
  try {
    await link.ask((model) => onChannel(model, (channel) => channel.assertQueue(name, { durable: true, arguments: options }))); // prettier-ignore
  } catch (error) {
    if (failureKind(error) !== "other-queue") throw error;
    // A stream with other settings was made by a member with other options, or by an operator.
    if (
      /x-queue-type/.test(describeFailure(error)) ||
      /'durable'|'auto_delete'|'exclusive'/.test((error as Error).message)
    )
      // prettier-ignore
      throw noStream(name, settings.address, error);
  }
}

function cutAsSet({ streamAgeMs, streamBytesMax, segmentBytes }: Settings): Readonly<Record<string, unknown>> {
  return {
    ...(streamAgeMs === undefined ? {} : { "x-max-age": `${Math.ceil(streamAgeMs / 1000)}s` }),
    ...(streamBytesMax === undefined ? {} : { "x-max-length-bytes": streamBytesMax }),
    ...(segmentBytes === undefined ? {} : { "x-stream-max-segment-size-bytes": segmentBytes }),
  };
}

/**
 * When a segment is full the server removes the oldest ones until the rest has no more than the greatest length: so up to a segment
 * less may be left, and what went beyond the end of that segment at once. What is under way is looked for when a connection breaks,
 * and may not be removed before.
 */
function cutBehind(bytesKept: number, { windowBytesMax, eventBytesMax }: Settings): Readonly<Record<string, unknown>> {
  const segment = Math.max(segmentBytesMin, Math.ceil(bytesKept / 4));
  return {
    "x-max-length-bytes": bytesKept + 2 * segment + windowBytesMax + eventBytesMax,
    "x-stream-max-segment-size-bytes": segment,
  };
}

/** Looks for a stream that must be there. Throws what the server refuses with where there is none. */
export async function checkStream(link: Link, name: string): Promise<void> {
  await link.ask((model) => onChannel(model, (channel) => channel.checkQueue(name)));
}

/** Makes the streams of a topic, or looks at them. */
export async function eachPartition(
  { name, partitions }: TopicSpec,
  { prefix }: Settings,
  act: (queue: string) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let partition = next++; partition < partitions; partition = next++)
      await act(queueOf(prefix, name, partition));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, partitions) }, work));
}

function noStream(queue: string, address: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_SERVER_UNSAFE",
    `The queue "${queue}" at ${address} is no stream: delete it, or choose another prefix.`,
    { cause, details: { queue, address } },
  );
}
