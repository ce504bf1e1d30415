// The Redis that BullMQ runs on: the one of `npm run services`, set up as its package has it.
import { Redis } from "ioredis";

import { serviceUrl } from "../../scripts/services/url.ts";
import type { Facts } from "./line.ts";
import { packageVersion } from "./versions.ts";

/** Its URL; starts it when it does not run. Throws with the reason when it cannot be started. */
export const redisUrl = (): string => serviceUrl("redis");

/** Version and durability as it is set up. */
export async function redisFacts(url: string): Promise<Facts> {
  const redis = new Redis(url);
  const info = await redis.info("server");
  const [, appendonly = ""] = await redis.config("GET", "appendonly");
  const [, save = ""] = await redis.config("GET", "save");
  redis.disconnect();
  return {
    redis: /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown",
    redisAppendonly: appendonly,
    redisSave: save,
    bullmq: packageVersion("bullmq"),
    ioredis: packageVersion("ioredis"),
  };
}

/** The URL of the Redis that syncs every write. */
export const redisSyncedUrl = (): string => serviceUrl("redis-synced");

/** Version and durability of that. Throws when it acknowledges what is not on the disk. */
export async function redisSyncedFacts(url: string): Promise<Facts> {
  const redis = new Redis(url);
  const info = await redis.info("server");
  const [, appendfsync = ""] = await redis.config("GET", "appendfsync");
  redis.disconnect();
  if (appendfsync !== "always")
    throw new Error(`The Redis runs with appendfsync=${appendfsync}; the bench needs always.`);
  return {
    redisSynced: /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown",
    redisSyncedAppendfsync: appendfsync,
    redisClient: packageVersion("@redis/client"),
    nestjs: packageVersion("@nestjs/microservices"),
  };
}
