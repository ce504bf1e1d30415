import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import { type NatsOptions, parseNatsUrl, settingsOf } from "./options.ts";

/** What `tidings({ engine })` takes. */
export interface NatsEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** Topics in streams of NATS JetStream. Throws TIDINGS_INVALID_OPTION. */
export function nats(options: NatsOptions): NatsEngine {
  const settings = settingsOf(options);
  return { open: (context) => openEngine(settings, context) };
}

/** The same from an address such as `nats://user:password@host:4222?prefix=shop`. */
export function natsFromUrl(url: string): NatsEngine {
  return nats(parseNatsUrl(url));
}
