import type { Topics, TopicSpec } from "../../ports/topics.ts";
import { checkSpec } from "../sql/topics.ts";

/** The parts of an engine that its topics are made of. */
export interface TopicsParts extends Pick<Topics, "positionsAt" | "retain" | "watch"> {
  /** Throws when the engine is closed, or is to write and was opened for reading. */
  readonly check: (write?: boolean) => void;
  readonly partitionsMax: number;
  /** Whether topics can have a bound that the broker keeps. */
  readonly bounded?: boolean;
  readonly catalog: Pick<Topics, "list" | "find"> & { declare(specs: readonly TopicSpec[]): Promise<void> };
  readonly reader: Pick<Topics, "read" | "bounds">;
  /** Is given one entry at least. */
  readonly publish: Topics["publish"];
  /** Absent where the broker has no place for it. */
  readonly showPositions?: NonNullable<Topics["showPositions"]> | undefined;
}

/** The topics port of a broker: each call is looked at first, and then handed to the part that does it. */
export function topicsPort(parts: TopicsParts): Topics {
  const { check, partitionsMax, bounded, catalog, reader, publish, showPositions } = parts;
  return {
    async declare(specs) {
      check(true);
      await catalog.declare(specs.map((spec) => checkSpec(spec, partitionsMax, bounded)));
    },
    async list() {
      check();
      return catalog.list();
    },
    async find(name) {
      check();
      return catalog.find(name);
    },
    // Not an async function: each more of them costs every publish a promise.
    publish(entries, options) {
      try {
        check(true);
        return entries.length === 0 ? Promise.resolve([]) : publish(entries, options);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async read(topic, partition, position, limits) {
      check();
      return reader.read(topic, partition, position, limits);
    },
    async bounds(topic) {
      check();
      return Array.from(await reader.bounds(topic), ({ first, next }) => ({ first, next }));
    },
    async positionsAt(topic, timeMs) {
      check();
      return parts.positionsAt(topic, timeMs);
    },
    async retain(topic, rule) {
      check(true);
      return parts.retain(topic, rule);
    },
    watch: (topic, listener) => parts.watch(topic, listener),
    ...(showPositions && {
      async showPositions(subscription, topic, positions) {
        check(true);
        await showPositions(subscription, topic, positions);
      },
    }),
  };
}
