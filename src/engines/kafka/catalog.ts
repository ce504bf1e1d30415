import { TidingsError } from "../../errors/tidings-error.ts";
import type { Clock } from "../../platform/clock.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import { missingOf, noPartition, noTopic } from "../sql/topics.ts";
import type { Api } from "./api.ts";
import { Refusal, toTidingsError } from "./failure.ts";
import type { TopicMetadata } from "./link.ts";
import type { Settings } from "./options.ts";
import { checkTopic, isTopicName, makeTopics, readableConfigs } from "./topics.ts";

/** A topic as Kafka has it. */
export interface KnownTopic {
  readonly spec: TopicSpec;
  /** Its name in Kafka. */
  readonly name: string;
  readonly id: string;
  /** The broker that leads each partition; -1 for none. */
  leaders: readonly number[];
  /** Largest batch, in bytes. */
  readonly batchBytesMax: number;
  /** Since when brokers say that it is not there, by the monotonic clock. */
  missingSinceMs: number | undefined;
  /** Set when it is there no more, or another one of this name is. */
  gone: TidingsError | undefined;
}

const unknownTopic = 3;

/** The topics: they stand in Kafka itself, so that whoever makes one there has made one here. */
export class Catalog {
  readonly #api: Api;
  readonly #settings: Settings;
  readonly #clock: Clock;
  /** Topics that were looked at and are sound, by our names. */
  readonly #known = new Map<string, KnownTopic>();
  readonly #loading = new Map<string, Promise<KnownTopic | undefined>>();
  #refreshing: Promise<void> | undefined;

  constructor(api: Api, settings: Settings, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
    this.#settings = settings;
  }

  /** A topic that is known and sound; undefined for one that must be loaded first, or is none. */
  known(name: string): KnownTopic | undefined {
    return this.#known.get(name);
  }

  /** Looks the topic up. Throws TIDINGS_NOT_FOUND, TIDINGS_SERVER_UNSAFE. */
  async topic(name: string): Promise<KnownTopic> {
    const found = this.#known.get(name) ?? (await this.#load(name));
    if (!found) throw noTopic(name);
    if (found.gone) throw found.gone;
    return found;
  }

  async find(name: string): Promise<TopicSpec | undefined> {
    const known = this.#known.get(name);
    if (known) return known.spec;
    if (!isTopicName(name)) return undefined;
    const found = (await this.#describe([name]))[0];
    return found && Object.freeze({ name, partitions: found.partitions.length });
  }

  async list(): Promise<readonly TopicSpec[]> {
    const { prefix } = this.#settings;
    const all = await this.#api.retry(() => this.#api.link.metadata(null));
    return all
      .filter(({ name, isInternal, error }) => error === 0 && !isInternal && name.startsWith(prefix) && name !== prefix)
      .map(({ name, partitions }) => Object.freeze({ name: name.slice(prefix.length), partitions: partitions.length }))
      .filter(({ name }) => isTopicName(name) && !name.startsWith("__"))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws TIDINGS_PARTITIONS_CHANGED before anything is made. */
  async declare(specs: readonly TopicSpec[]): Promise<void> {
    const names = [...new Set(specs.map(({ name }) => name))];
    const fresh = names.filter((name) => !this.#known.has(name));
    const there = new Map<string, TopicSpec>();
    for (const name of names) {
      const known = this.#known.get(name);
      if (known) there.set(name, known.spec);
    }
    if (fresh.length > 0)
      for (const { name, partitions } of await this.#describe(fresh))
        there.set(this.#ours(name), { name: this.#ours(name), partitions: partitions.length });
    const missing = missingOf(specs, (name) => there.get(name));
    if (missing.length > 0) {
      if (!this.#settings.createTopics) throw notMade(missing[0] as TopicSpec, this.#settings.address);
      await makeTopics(this.#api, this.#settings, missing);
    }
    if (fresh.length > 0) await this.#prove(specs.filter(({ name }) => fresh.includes(name)));
  }

  /** Looks who leads the partitions that are known; once, however many ask at once. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const known = Array.from(this.#known.values());
    if (known.length === 0) return;
    const found = await this.#api.link.metadata(known.map(({ name }) => name));
    for (const { name, id, error, partitions } of found) {
      const topic = this.#known.get(this.#ours(name));
      if (!topic || (error !== 0 && error !== unknownTopic)) continue;
      if (error === 0 && id === topic.id) {
        topic.leaders = partitions.slice(0, topic.spec.partitions).map(({ leader }) => leader);
        topic.missingSinceMs = undefined;
      } else if (error === 0 || this.#isGone(topic)) topic.gone ??= replaced(topic.spec.name, this.#settings.address);
    }
  }

  /** A broker that has just started may not know all topics yet. */
  #isGone(topic: KnownTopic): boolean {
    const nowMs = this.#clock.monotonic();
    topic.missingSinceMs ??= nowMs;
    return nowMs - topic.missingSinceMs > this.#settings.busyTimeoutMs / 2;
  }

  #load(name: string): Promise<KnownTopic | undefined> {
    const begun = this.#loading.get(name);
    if (begun) return begun;
    const work = this.#loadOne(name).finally(() => this.#loading.delete(name));
    this.#loading.set(name, work);
    return work;
  }

  async #loadOne(name: string): Promise<KnownTopic | undefined> {
    const spec = await this.find(name);
    if (!spec) return undefined;
    await this.#prove([spec]);
    return this.#known.get(name);
  }

  /** Looks at topics that are there, or were just made: brokers hear of them a little later. */
  async #prove(specs: readonly TopicSpec[]): Promise<void> {
    const { prefix, address } = this.#settings;
    const names = [...new Set(specs.map(({ name }) => name))];
    const described = await this.#api.retry(async () => {
      const found = await this.#describe(names);
      const ready = found.filter(({ partitions }) => partitions.every(({ leader }) => leader >= 0));
      if (ready.length < names.length) throw new Refusal(5, "a topic that was just made");
      return ready;
    });
    for (const { name, partitions } of described) {
      const declared = specs.find((spec) => prefix + spec.name === name);
      if (declared) missingOf([declared], () => ({ name: declared.name, partitions: partitions.length }));
    }
    const configurations = await this.#configurations(described.map(({ name }) => name));
    for (const metadata of described) {
      const configuration = configurations.get(metadata.name) ?? new Map<string, string>();
      checkTopic(metadata, configuration, this.#settings);
      const name = this.#ours(metadata.name);
      const spec = Object.freeze({ name, partitions: metadata.partitions.length });
      const before = this.#known.get(name);
      if (before && before.id !== metadata.id) throw replaced(name, address);
      // Lanes belong to the topic as it was met first: another object would get other lanes, whose batches bear the same numbers.
      if (before) continue;
      this.#known.set(name, {
        spec,
        name: metadata.name,
        id: metadata.id,
        leaders: metadata.partitions.map(({ leader }) => leader),
        batchBytesMax: Number(configuration.get("max.message.bytes") ?? 1_048_588),
        missingSinceMs: undefined,
        gone: undefined,
      });
    }
  }

  async #configurations(names: readonly string[]) {
    try {
      return await this.#api.configurations(names, readableConfigs);
    } catch (error) {
      throw toTidingsError(error, this.#settings.address);
    }
  }

  /** Those of these topics that are there. */
  async #describe(names: readonly string[]): Promise<readonly TopicMetadata[]> {
    const { prefix, address } = this.#settings;
    try {
      return await this.#api.retry(
        async () => {
          const found = await this.#api.link.metadata(names.map((name) => prefix + name));
          for (const { error, name } of found)
            if (error !== 0 && error !== unknownTopic && error !== 17) throw new Refusal(error, `topic "${name}"`);
          return found.filter(({ error }) => error === 0);
        },
        `permission Describe of topic "${prefix}${names[0] ?? ""}"`,
      );
    } catch (error) {
      throw toTidingsError(error, address);
    }
  }

  #ours(name: string): string {
    return name.slice(this.#settings.prefix.length);
  }
}

/** Throws TIDINGS_INVALID_OPTION when the topic has no such partition. */
export function checkPartition(topic: TopicSpec, partition: number): void {
  if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
    throw noPartition(topic, partition);
}

function replaced(name: string, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_STORE_REPLACED",
    `Topic "${name}" at ${address} is gone, or another one than before: it was removed.`,
    { details: { topic: name, address } },
  );
}

function notMade({ name, partitions }: TopicSpec, address: string): TidingsError {
  return new TidingsError(
    "TIDINGS_NOT_FOUND",
    `Topic "${name}" is not there at ${address}, and createTopics is false: make it with ${partitions} partitions.`,
    { details: { topic: name, partitions, address } },
  );
}
