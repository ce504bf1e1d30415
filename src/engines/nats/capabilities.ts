import type { Capabilities } from "../../ports/capabilities.ts";
import type { Settings } from "./options.ts";

/** What headers may take of the largest message: so much less is the largest event. */
const headerRoom = 16 * 1024;

/** What the NATS engine can do with these settings, on a server that takes messages of so many bytes. */
export function natsCapabilities({ durability }: Pick<Settings, "durability">, messageBytesMax: number): Capabilities {
  return Object.freeze({
    durability: durability === "weak" ? "confirmed" : durability,
    persistent: true,
    sharedByProcesses: true,
    transactions: false,
    atomicPublish: false,
    userSql: false,
    publishDeduplication: false,
    seekByTime: true,
    retentionByAge: true,
    retentionBySize: true,
    boundedTopics: false,
    appendTimes: "engine",
    checksums: true,
    nativeGroups: false,
    showsPositions: false,
    eventBytesMax: messageBytesMax - headerRoom,
    topicsMax,
    partitionsMax,
  });
}

export const topicsMax = 500;
/** Each partition is a stream of the server's. */
export const partitionsMax = 128;
