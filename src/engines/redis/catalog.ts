import type { TopicSpec } from "../../ports/topics.ts";
import { checkSame, noPartition, noTopic } from "../sql/topics.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Keys } from "./keys.ts";
import { declareScript } from "./scripts/declare.ts";
import type { StoreWatch } from "./store-watch.ts";

/** So many streams are made by one script at most, so that nobody waits for long. */
const streamsPerScript = 4096;

/** The topics of a store, as far as they were asked for. A topic never changes, so it is kept. */
export class Catalog {
  readonly #known = new Map<string, TopicSpec>();
  readonly #connections: Connections;
  readonly #keys: Keys;
  readonly #watch: StoreWatch;

  constructor(connections: Connections, keys: Keys, watch: StoreWatch) {
    this.#connections = connections;
    this.#keys = keys;
    this.#watch = watch;
  }

  /** A topic that was loaded; undefined when there is none. */
  get(name: string): TopicSpec | undefined {
    return this.#known.get(name);
  }

  /** Reads the topics of these names that are not known yet, on a connection of the caller's, if he has one. */
  async load(names: Iterable<string>, connection?: Connection): Promise<void> {
    const missing = [...new Set(names)].filter((name) => !this.#known.has(name));
    if (missing.length === 0) return;
    const ask = (from: Connection): Promise<(string | null)[]> => from.send(["HMGET", this.#keys.topics, ...missing]);
    const found = await (connection ? ask(connection) : this.#connections.read(ask));
    for (const [index, name] of missing.entries()) {
      const partitions = found[index];
      if (typeof partitions === "string")
        this.#known.set(name, Object.freeze({ name, partitions: Number(partitions) }));
    }
  }

  /** Loads and gets. Throws TIDINGS_NOT_FOUND. */
  async topic(name: string): Promise<TopicSpec> {
    const known = this.#known.get(name);
    if (known) return known;
    await this.load([name]);
    const found = this.#known.get(name);
    if (found) return found;
    throw noTopic(name);
  }

  /** The keys of the streams of a topic, by partition. */
  logs({ name, partitions }: TopicSpec): string[] {
    return Array.from({ length: partitions }, (_, partition) => this.#keys.log(name, partition));
  }

  async list(): Promise<readonly TopicSpec[]> {
    const reply = await this.#connections.read((from) => from.send<string[]>(["HGETALL", this.#keys.topics]));
    const specs: TopicSpec[] = [];
    for (let at = 0; at < reply.length; at += 2)
      specs.push({ name: reply[at] as string, partitions: Number(reply[at + 1]) });
    return specs.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Makes topics of which none is known. Throws TIDINGS_PARTITIONS_CHANGED. */
  async make(specs: readonly TopicSpec[]): Promise<void> {
    // Larger calls are several scripts; what could refuse them is looked at before the first.
    for (const some of chunked(specs)) {
      const args = [this.#watch.store, this.#keys.log("", 0).slice(0, -2), ...some.flatMap(({ name, partitions }) => [name, String(partitions)])]; // prettier-ignore
      const reply = await this.#connections.read((from) =>
        from.run<string | [string, string]>(declareScript, [this.#keys.meta, this.#keys.topics], args),
      );
      if (reply === "replaced") throw this.#watch.another();
      if (typeof reply === "string") continue;
      const [name, partitions] = reply;
      const spec = some.find((one) => one.name === name) as TopicSpec;
      checkSame({ name, partitions: Number(partitions) }, spec);
    }
    await this.load(specs.map(({ name }) => name));
  }
}

/** The partition, or TIDINGS_NOT_FOUND or TIDINGS_INVALID_OPTION. */
export function checkPlace(topic: TopicSpec | undefined, name: string, partition: number): void {
  if (!topic) throw noTopic(name);
  if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
    throw noPartition(topic, partition);
}

function* chunked(specs: readonly TopicSpec[]): Generator<readonly TopicSpec[]> {
  let some: TopicSpec[] = [];
  let streams = 0;
  for (const spec of specs) {
    if (streams > 0 && streams + spec.partitions > streamsPerScript) {
      yield some;
      [some, streams] = [[], 0];
    }
    some.push(spec);
    streams += spec.partitions;
  }
  if (some.length > 0) yield some;
}
