export { redisCapabilities } from "./capabilities.ts";
export { redis, type RedisEngine, redisFromUrl } from "./factory.ts";
export { parseRedisUrl, type RedisOptions } from "./options.ts";
