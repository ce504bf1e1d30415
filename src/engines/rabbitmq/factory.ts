import type { Engine, EngineContext } from "../../ports/engine.ts";
import { openEngine } from "./engine.ts";
import { parseRabbitmqUrl, type RabbitmqOptions, settingsOf } from "./options.ts";

/** What `tidings({ engine })` takes. */
export interface RabbitmqEngine {
  open(context: EngineContext): Promise<Engine>;
}

/** Topics in streams of RabbitMQ. Throws TIDINGS_INVALID_OPTION. */
export function rabbitmq(options: RabbitmqOptions): RabbitmqEngine {
  const settings = settingsOf(options);
  return { open: (context) => openEngine(settings, context) };
}

/** The same from an address such as `amqp://user:password@host:5672/vhost?prefix=shop`. */
export function rabbitmqFromUrl(url: string): RabbitmqEngine {
  return rabbitmq(parseRabbitmqUrl(url));
}
