// The Redis that BullMQ runs on: the one of `npm run services`, set up as its package has it.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Redis } from "ioredis";

import { urls } from "../../scripts/services/records.ts";
import type { Facts } from "./line.ts";
import { packageVersion } from "./versions.ts";

const services = join(import.meta.dirname, "../../scripts/services.ts");

/** Its URL; starts it when it does not run. Throws with the reason when it cannot be started. */
export function redisUrl(): string {
  const found = urls(["redis"])["redis"];
  if (found !== undefined) return found;
  execFileSync(process.execPath, [...process.execArgv, services, "up", "redis"], { stdio: ["ignore", 2, 2] });
  const started = urls(["redis"])["redis"];
  if (started === undefined) throw new Error("Redis was started and is not there.");
  return started;
}

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
