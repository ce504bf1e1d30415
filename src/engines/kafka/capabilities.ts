import type { Capabilities } from "../../ports/capabilities.ts";
import type { Settings } from "./options.ts";

/** What headers may take of the largest message: so much less is the largest event. */
const headerRoom = 16 * 1024;

/** What the Kafka engine can do with these settings, on brokers that take batches of so many bytes. */
export function kafkaCapabilities(settings: Settings, batchBytesMax: number): Capabilities {
  const { durability } = settings;
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
    // What a partition holds is not to be had: the sizes that brokers tell count what is removed until its segment goes.
    retentionBySize: false,
    boundedTopics: false,
    appendTimes: "engine",
    checksums: true,
    nativeGroups: false,
    showsPositions: showsPositions(settings),
    eventBytesMax: Math.max(1, batchBytesMax - headerRoom),
    topicsMax,
    partitionsMax,
  });
}

/** Whether groups of consumers are written. */
export const showsPositions = ({ consumerGroups, readOnly }: Settings): boolean => consumerGroups && !readOnly;

export const topicsMax = 500;
export const partitionsMax = 128;
