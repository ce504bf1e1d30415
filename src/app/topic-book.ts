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
  /** By topic: one declaration for all who wait for it, so that they go on in the order in which they came. */
  const declaring = new Map<string, Promise<number>>();

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
    // Not before those who wait for it have gone on: who comes now must not overtake them.
    known: ({ name }) => (declaring.has(name) ? undefined : partitions.get(name)),
    declareAll,
    declare(topic) {
      const { name } = topic;
      const underWay = declaring.get(name);
      if (underWay) return underWay;
      const begun = declareAll([topic]).then(() => partitions.get(name) as number);
      declaring.set(name, begun);
      const end = (): void => void declaring.delete(name);
      begun.then(end, end);
      return begun;
    },
  };
}
