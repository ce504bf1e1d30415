import type { Capabilities } from "../../ports/capabilities.ts";

/** What the Redis engine can do on a server that syncs each write; see `capabilitiesOf` for another one. */
export const redisCapabilities: Capabilities = Object.freeze({
  durability: "disk",
  persistent: true,
  sharedByProcesses: true,
  transactions: false,
  atomicPublish: true,
  userSql: false,
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

/** The same with the durability that the server was found to have. */
export function capabilitiesOf(durability: "disk" | "confirmed"): Capabilities {
  return durability === "disk" ? redisCapabilities : Object.freeze({ ...redisCapabilities, durability });
}
