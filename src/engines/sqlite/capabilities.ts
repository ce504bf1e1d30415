import type { Capabilities } from "../../ports/capabilities.ts";

/** What the embedded engine can do. */
export const sqliteCapabilities: Capabilities = Object.freeze({
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
  topicsMax: 10_000,
  partitionsMax: 1024,
});
