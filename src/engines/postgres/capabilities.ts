import type { Capabilities } from "../../ports/capabilities.ts";

/** What the Postgres engine can do. */
export const postgresCapabilities: Capabilities = Object.freeze({
  durability: "disk",
  persistent: true,
  sharedByProcesses: true,
  transactions: true,
  atomicPublish: true,
  userSql: true,
  publishDeduplication: true,
  seekByTime: true,
  retentionByAge: true,
  retentionBySize: true,
  boundedTopics: false,
  appendTimes: "engine",
  checksums: true,
  nativeGroups: false,
  showsPositions: false,
  eventBytesMax: 16 * 1024 * 1024,
  topicsMax: 1000,
  partitionsMax: 1024,
});
