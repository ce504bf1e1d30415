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

/** A broker that bounds topics by itself, to so many bytes whatever it is told; what it removes the test says, and which events it refuses. */
export function bounding(engine: Engine, bytesKept: number, refuses: (type: string) => boolean = () => false): Engine {
  const { topics, ...broker } = topicsOnly(engine);
  return {
    ...broker,
    capabilities: Object.freeze({ ...broker.capabilities, retentionByAge: false, boundedTopics: true }),
    topics: {
      ...topics,
      async declare(specs) {
        await topics.declare(specs.map(({ name, partitions }) => ({ name, partitions })));
      },
      async find(name) {
        const found = await topics.find(name);
        return found && { ...found, bytesKept };
      },
      publish: (entries) =>
        entries.some(({ record }) => refuses(record.type))
          ? Promise.reject(new Error("It is refused."))
          : topics.publish(entries),
      retain: () => Promise.reject(new Error("It removes nothing when it is told to.")),
    },
  };
}

/** A broker of which nothing is heard while it is away. */
export function leaving(engine: Engine): { readonly engine: Engine; leave(): void; comeBack(): void } {
  const { topics } = engine;
  let { promise: away, resolve: back } = Promise.withResolvers<void>();
  back();
  return {
    engine: {
      ...engine,
      topics: {
        ...topics,
        bounds: (topic) => away.then(() => topics.bounds(topic)),
        read: (...asked) => away.then(() => topics.read(...asked)),
        publish: (entries) => away.then(() => topics.publish(entries)),
      },
    },
    leave: () => void ({ promise: away, resolve: back } = Promise.withResolvers<void>()),
    comeBack: () => back(),
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
