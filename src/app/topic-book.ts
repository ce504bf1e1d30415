import type { Topic } from "../event/contract.ts";
import type { Engine } from "../ports/engine.ts";

/** Which topics are known to exist, with how many partitions. */
export interface TopicBook {
  /** Number of partitions, or undefined when the topic has not been declared by this process yet. */
  known(topic: Topic): number | undefined;
  /** Creates the topic where it does not exist; one that says nothing about partitions takes what is there. */
  declare(topic: Topic): Promise<number>;
  declareAll(topics: Iterable<Topic>): Promise<void>;
}

export function createTopicBook(engine: Engine, partitionsDefault: number): TopicBook {
  const partitions = new Map<string, number>();

  async function declareAll(topics: Iterable<Topic>): Promise<void> {
    const specs = [];
    for (const topic of topics) {
      if (partitions.has(topic.name)) continue;
      const there = topic.partitions === undefined ? await engine.topics.find(topic.name) : undefined;
      specs.push({ name: topic.name, partitions: topic.partitions ?? there?.partitions ?? partitionsDefault });
    }
    if (specs.length > 0) await engine.topics.declare(specs);
    for (const spec of specs) partitions.set(spec.name, spec.partitions);
  }

  return {
    known: (topic) => partitions.get(topic.name),
    declareAll,
    async declare(topic) {
      await declareAll([topic]);
      return partitions.get(topic.name) as number;
    },
  };
}
