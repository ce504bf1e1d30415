import { TidingsError } from "../../errors/tidings-error.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import type { Api, StreamInfo } from "./api.ts";
import { failureKind, Refusal } from "./failure.ts";
import { streamOf, subjectOf } from "./names.ts";
import type { Settings } from "./options.ts";

const nsPerMs = 1e6;
/** So many requests are under way at once. */
const atOnce = 64;

/** What all our streams have in common. */
function common({ replicas, duplicateWindowMs }: Settings): object {
  return {
    storage: "file",
    retention: "limits",
    discard: "new",
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: -1,
    max_age: 0,
    max_msg_size: -1,
    num_replicas: replicas,
    duplicate_window: duplicateWindowMs * nsPerMs,
  };
}

/** Makes a stream unless it is there. Throws TIDINGS_SERVER_UNSAFE for one that cannot hold what is promised. */
export async function makeStream(api: Api, settings: Settings, name: string, subject: string): Promise<void> {
  const body = { name, subjects: [subject], ...common(settings) };
  try {
    check(await api.ask<StreamInfo>(`STREAM.CREATE.${name}`, body), settings);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.errCode === 10074 || error.errCode === 10005) throw alone(settings, error);
    // In use with other settings: made by a member with other options, or changed by an operator. While another member makes it, the
    // server may say that subjects overlap, which it says of a stream of somebody else's as well.
    if (error.errCode !== 10058 && error.errCode !== 10065) throw error;
    const refused = error;
    await checkStream(api, settings, name).catch((why: unknown) => {
      throw isAbsent(why) ? refused : why;
    });
  }
}

/** Looks at a stream that must be there. Throws TIDINGS_SERVER_UNSAFE, and a refusal where there is none. */
export async function checkStream(api: Api, settings: Settings, name: string): Promise<void> {
  check(await api.ask<StreamInfo>(`STREAM.INFO.${name}`), settings);
}

/** Makes the streams of a topic, or looks at them. */
export async function eachPartition(
  { name, partitions }: TopicSpec,
  { prefix }: Settings,
  act: (stream: string, subject: string) => Promise<void>,
): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let partition = next++; partition < partitions; partition = next++)
      await act(streamOf(prefix, name, partition), subjectOf(prefix, name, partition));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, partitions) }, work));
}

/** A stream of a topic that was made and is there no more. */
export function gone(name: string, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_STORE_REPLACED",
    `The stream "${name}" of a declared topic is gone at ${address}; restore it from a backup.`,
    { details: { stream: name, address } },
  );
}

export const isAbsent = (error: unknown): boolean => failureKind(error) === "absent";

function check({ config }: StreamInfo, { durability, address }: Settings): void {
  const { name, storage, retention, num_replicas: replicas } = config;
  const faults = [
    storage !== "file" && durability !== "weak" && 'it is kept in memory; make it with storage "file"',
    retention !== "limits" && `its retention is "${retention}"; it must be "limits"`,
    durability === "replicated" &&
      replicas < 3 &&
      `it has ${replicas} replicas; durability "replicated" needs 3 ("nats stream edit --replicas 3")`,
  ].filter((fault) => fault !== false);
  if (faults.length === 0) return;
  throw new TidingsError("TIDINGS_SERVER_UNSAFE", `The stream "${name}" at ${address} cannot be used: ${faults[0]}.`, {
    details: { stream: name, address },
  });
}

/** Replicas were asked for where there are too few servers. */
export function alone({ durability, replicas, address }: Settings, cause?: Refusal): TidingsError {
  const choice =
    durability === "replicated"
      ? `A server by itself acknowledges events that it has not synced yet: take a cluster of 3, or state durability "disk" where the server has "sync_interval: always" (2.10 or newer), or durability "weak" where events may be lost when the power goes.`
      : `Give fewer replicas.`;
  return new TidingsError(
    "TIDINGS_SERVER_UNSAFE",
    `There are no ${replicas} servers for the replicas of a stream at ${address}. ${choice}`,
    { cause, details: { address, replicas } },
  );
}
