import type { MemoryWorld } from "../../src/engines/memory/factory.ts";
import type { Engine, EngineContext } from "../../src/ports/engine.ts";

/** What a broker has: the topics of an engine, and nothing of what else it could do. */
export function topicsOnly({ name, address, capabilities, topics, ...engine }: Engine): Engine {
  return {
    name,
    address,
    capabilities: Object.freeze({ ...capabilities, transactions: false }),
    topics,
    info: () => engine.info(),
    verify: (options) => engine.verify(options),
    trouble: () => engine.trouble(),
    close: () => engine.close(),
  };
}

/** Opens brokers on a world. `opened` has the engines below them, which can be crashed. */
export function brokersOn(world: MemoryWorld) {
  const opened: Engine[] = [];
  return {
    opened,
    async open(context: EngineContext): Promise<Engine> {
      const engine = await world.open(context);
      opened.push(engine);
      return topicsOnly(engine);
    },
  };
}
