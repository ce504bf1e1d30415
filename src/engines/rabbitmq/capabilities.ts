import type { Capabilities } from "../../ports/capabilities.ts";
import type { Settings } from "./options.ts";

/** What the RabbitMQ engine can do with these settings. */
export function rabbitmqCapabilities({ durability, eventBytesMax }: Settings): Capabilities {
  return Object.freeze({
    durability: durability === "replicated" ? "replicated" : "confirmed",
    persistent: true,
    sharedByProcesses: true,
    transactions: false,
    atomicPublish: false,
    userSql: false,
    publishDeduplication: false,
    seekByTime: true,
    // A stream is cut by the server, by what it was made with or a policy says; nobody can remove what he chooses.
    retentionByAge: false,
    retentionBySize: false,
    boundedTopics: true,
    appendTimes: "publisher",
    checksums: true,
    nativeGroups: false,
    showsPositions: false,
    eventBytesMax,
    topicsMax,
    partitionsMax,
  });
}

export const topicsMax = 200;
/** Each partition is a stream of the server's. */
export const partitionsMax = 64;
