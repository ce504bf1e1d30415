import { TidingsError } from "../../errors/tidings-error.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import type { Api, Configuration } from "./api.ts";
import { Refusal, toTidingsError } from "./failure.ts";
import { answered, type TopicMetadata } from "./link.ts";
import type { Settings } from "./options.ts";

/** What is looked at of a topic. */
export const readableConfigs = ["min.insync.replicas", "flush.messages", "max.message.bytes", "unclean.leader.election.enable"] as const; // prettier-ignore

/** Whether it can be the name of a topic: others may have called theirs otherwise. */
export const isTopicName = (name: string): boolean => /^(?!\.\.?$)[A-Za-z0-9._-]{1,249}$/.test(name);

const alreadyThere = 36;
const illegalName = 17;
const tooFewBrokers = 38;
const nameMax = 249;

/** Makes topics; one that somebody else has made meanwhile is as good. Throws TIDINGS_INVALID_NAME, TIDINGS_SERVER_UNSAFE. */
export async function makeTopics(api: Api, settings: Settings, specs: readonly TopicSpec[]): Promise<void> {
  const { address, prefix, requestTimeoutMs } = settings;
  for (const { name } of specs) if (prefix.length + name.length > nameMax) throw tooLong(name, prefix);
  const request = specs.map(({ name, partitions }) => ({
    name: prefix + name,
    numPartitions: partitions,
    replicationFactor: settings.replicas,
    assignments: [],
    configs: configsOf(settings),
  }));
  // All are tried before any is made: one that is refused leaves nothing of the others.
  for (const validateOnly of [true, false]) {
    if (validateOnly && specs.length === 1) continue;
    const topics = await api.control(async (connection) => {
      const answer = await answered(api.client.createTopicsV7.api.async(connection, request, requestTimeoutMs, validateOnly)); // prettier-ignore
      return answer.topics;
    });
    for (const { name, errorCode, errorMessage } of topics) {
      if (errorCode === 0 || errorCode === alreadyThere) continue;
      const why = errorMessage ?? "";
      if (errorCode === illegalName) throw collides(name.slice(prefix.length), why, address);
      if (errorCode === tooFewBrokers) throw tooFew(settings, why);
      throw toTidingsError(new Refusal(errorCode, `making topic "${name}": ${why}`), `${address} (permission Create)`);
    }
  }
}

function configsOf({ durability, replicas }: Settings): { name: string; value: string }[] {
  const configs: Record<string, string> = {
    "cleanup.policy": "delete",
    // Who needs what is known to the application, which asks for retention itself.
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": String(replicas >= 3 ? 2 : 1),
    "unclean.leader.election.enable": "false",
  };
  if (durability === "disk") configs["flush.messages"] = "1";
  return Object.entries(configs).map(([name, value]) => ({ name, value }));
}

/** Throws TIDINGS_SERVER_UNSAFE for a topic that cannot hold what is promised. */
export function checkTopic(topic: TopicMetadata, configuration: Configuration, settings: Settings): void {
  const { durability, address } = settings;
  const replicas = Math.min(...topic.partitions.map((partition) => partition.replicas));
  const inSync = Number(configuration.get("min.insync.replicas") ?? 1);
  const faults = [
    durability === "replicated" && replicas < 3 && `it has ${replicas} replicas; durability "replicated" needs 3`,
    durability === "replicated" &&
      inSync < 2 &&
      `its min.insync.replicas is ${inSync}; durability "replicated" needs 2 at least`,
    durability === "replicated" &&
      configuration.get("unclean.leader.election.enable") === "true" &&
      "its unclean.leader.election.enable is true; it must be false",
    durability === "disk" &&
      configuration.get("flush.messages") !== "1" &&
      'its flush.messages is not 1, so that it acknowledges what is not synced; set it, or state durability "weak"',
  ].filter((fault) => fault !== false);
  if (faults.length === 0) return;
  throw new TidingsError("TIDINGS_SERVER_UNSAFE", `Topic "${topic.name}" at ${address} cannot be used: ${faults[0]}.`, {
    details: { topic: topic.name, address },
  });
}

/** Replicas were asked for where there are too few brokers. */
export function tooFew({ durability, replicas, address }: Settings, why: string): TidingsError {
  const choice =
    durability === "replicated"
      ? 'A broker by itself acknowledges events that it has not synced yet: take 3 brokers, or state durability "disk" (topics are then made with flush.messages=1), or durability "weak" where events may be lost when the power goes.'
      : "Give fewer replicas.";
  return new TidingsError(
    "TIDINGS_SERVER_UNSAFE",
    `There are no ${replicas} brokers for the replicas of a topic at ${address}${why === "" ? "" : ` (${why.replace(/\.$/, "")})`}. ${choice}`,
    { details: { address, replicas } },
  );
}

function tooLong(name: string, prefix: string): TidingsError {
  return new TidingsError(
    "TIDINGS_INVALID_NAME",
    `Topic "${name}" is too long: with the prefix "${prefix}" its name has more than ${nameMax} characters.`,
    { details: { topic: name, prefix } },
  );
}

/** Kafka takes dot and underscore for one in names of metrics, and refuses topics that differ in nothing else. */
function collides(name: string, why: string, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_INVALID_NAME",
    `Kafka at ${address} does not take the name "${name}" of a topic: ${why.replace(/\.$/, "")}.`,
    { details: { topic: name, address } },
  );
}
