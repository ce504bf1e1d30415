import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import { parseRedisUrl, type RedisOptions, settingsOf } from "./options.ts";

/** What `tidings({ engine })` takes. */
export interface RedisEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** Topics in the streams of a Redis server. Throws TIDINGS_INVALID_OPTION. */
export function redis(options: RedisOptions): RedisEngine {
  const settings = settingsOf(options);
  return { open: (context) => openEngine(settings, context) };
}

/** The same from an address such as `redis://user:password@host:6379?prefix=shop`. */
export function redisFromUrl(url: string): RedisEngine {
  return redis(parseRedisUrl(url));
}
