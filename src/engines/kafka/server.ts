import { TidingsError } from "../../errors/tidings-error.ts";
import type { Api } from "./api.ts";
import { failureKind, Refusal, toTidingsError } from "./failure.ts";
import { answered } from "./link.ts";
import type { Settings } from "./options.ts";
import { versions } from "./protocol.ts";
import { tooFew } from "./topics.ts";

/** What is known of the brokers. */
export interface ServerFacts {
  /** What the cluster has agreed upon, as `metadata.version` says it; older clusters do not. */
  readonly level: string;
  readonly cluster: string;
  readonly brokers: number;
  /** Largest batch unless a topic says otherwise, in bytes. */
  readonly batchBytesMax: number;
}

const batchBytesDefault = 1_048_588;

/** Refuses brokers that cannot hold what is promised: TIDINGS_SERVER_TOO_OLD, TIDINGS_SERVER_UNSAFE. */
export async function checkServer(api: Api, settings: Settings): Promise<ServerFacts> {
  const { address, replicas, readOnly, createTopics, durability } = settings;
  const { client } = api;
  const known = await api.control((connection) => answered(client.apiVersionsV3.api.async(connection, "tidings", "1")));
  for (const [name, [key, version]] of Object.entries(versions)) {
    const offered = known.apiKeys.find(({ apiKey }) => apiKey === key);
    if (!offered || offered.maxVersion < version || offered.minVersion > version)
      throw unfit(address, name, version, offered);
  }
  const { brokers, clusterId } = await api.control((connection) =>
    answered(client.metadataV10.api.async(connection, [], false, false, false)),
  );
  if (settings.tunnel && brokers.length > 1) throw manyBehindTunnel(address, brokers.length);
  if (brokers.length < replicas && createTopics && !readOnly) throw tooFew(settings, `there are ${brokers.length}`);
  if (brokers.length < 3 && durability === "replicated") throw tooFew(settings, `there are ${brokers.length}`);
  const level = known.finalizedFeatures?.find(({ name }) => name === "metadata.version")?.maxVersionLevel;
  return {
    level: level === undefined ? "unknown" : String(level),
    cluster: clusterId ?? "",
    brokers: brokers.length,
    batchBytesMax: await batchBytesOf(api, brokers[0]?.nodeId ?? 0, address),
  };
}

async function batchBytesOf(api: Api, node: number, address: string): Promise<number> {
  try {
    const found = await api.brokerConfiguration(node, ["message.max.bytes"]);
    return Number(found.get("message.max.bytes") ?? batchBytesDefault);
  } catch (error) {
    // Not everybody may ask for that: topics tell their own.
    if (failureKind(error) === "denied" || (error as { code?: string }).code === "TIDINGS_ACCESS_DENIED")
      return batchBytesDefault;
    throw error instanceof Refusal ? toTidingsError(error, address) : error;
  }
}

function unfit(
  address: string,
  name: string,
  version: number,
  offered: { readonly minVersion: number; readonly maxVersion: number } | undefined,
): TidingsError {
  const range = offered ? `${offered.minVersion} to ${offered.maxVersion}` : "no version";
  return new TidingsError(
    "TIDINGS_SERVER_TOO_OLD",
    `The brokers at ${address} do not speak what is needed: Kafka 2.8 to 4.x is. They have ${range} of ${name}, and version ${version} is asked for.`,
    { details: { address, request: name, needed: version } },
  );
}

function manyBehindTunnel(address: string, brokers: number): TidingsError {
  return new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The option "tunnel" is for one broker, and there are ${brokers} at ${address}.`,
    { details: { address, brokers } },
  );
}
