import type { Capabilities } from "../../ports/capabilities.ts";

/** What the memory engine can do: everything but outliving its process and running SQL. */
export const memoryCapabilities: Capabilities = Object.freeze({
  durability: "none",
  persistent: false,
  sharedByProcesses: false,
  transactions: true,
  atomicPublish: true,
  userSql: false,
  publishDeduplication: true,
  seekByTime: true,
  retentionByAge: true,
  retentionBySize: true,
  boundedTopics: false,
  appendTimes: "engine",
  checksums: false,
  nativeGroups: false,
  showsPositions: false,
  eventBytesMax: 16 * 1024 * 1024,
  topicsMax: 10_000,
  partitionsMax: 1024,
});
