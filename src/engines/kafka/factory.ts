import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import { type KafkaOptions, parseKafkaUrl, settingsOf } from "./options.ts";

/** What `tidings({ engine })` takes. */
export interface KafkaEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** Topics in Apache Kafka. Throws TIDINGS_INVALID_OPTION. */
export function kafka(options: KafkaOptions): KafkaEngine {
  const settings = settingsOf(options);
  return { open: (context) => openEngine(settings, context) };
}

/** The same from an address such as `kafka://user:password@host:9092?prefix=shop.`. */
export function kafkaFromUrl(url: string): KafkaEngine {
  return kafka(parseKafkaUrl(url));
}
