import type { Connection } from "@platformatic/kafka";
import { isTidingsError } from "../../errors/tidings-error.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Client } from "./client.ts";
import { failureKind, Refusal, toTidingsError } from "./failure.ts";
import { answered, type Link } from "./link.ts";
import type { Settings } from "./options.ts";

/** Which offset to ask for: the first that is there, the end of what may be read, or by time. */
export const at = { first: -2n, end: -1n } as const;

const pauseMsMin = 20;
const pauseMsMax = 1000;

/** What a topic is set to, as text. */
export type Configuration = ReadonlyMap<string, string>;

/** Requests to brokers, asked again while that may help. */
export class Api {
  readonly link: Link;
  readonly client: Client;
  readonly #settings: Settings;
  readonly #platform: Platform;

  constructor(link: Link, client: Client, settings: Settings, platform: Platform) {
    this.link = link;
    this.client = client;
    this.#settings = settings;
    this.#platform = platform;
  }

  /**
   * Does it, and again when a connection broke or a broker is not ready; for what may be repeated. `named` is what a
   * refusal is told with. Throws a `Refusal` that is no passing one, TIDINGS_UNREACHABLE, TIDINGS_ACCESS_DENIED.
   */
  async retry<Answer>(act: () => Promise<Answer>, named = ""): Promise<Answer> {
    const { clock } = this.#platform;
    const { address, busyTimeoutMs } = this.#settings;
    const untilMs = clock.monotonic() + busyTimeoutMs;
    for (let waitMs = pauseMsMin; ; waitMs = Math.min(waitMs * 2, pauseMsMax)) {
      await this.link.ready();
      try {
        return await act();
      } catch (error) {
        const kind = isTidingsError(error) ? undefined : failureKind(error);
        if (isTidingsError(error) && !error.retryable) throw error;
        if (kind !== undefined && kind !== "away") {
          if (error instanceof Refusal && kind !== "denied") throw error;
          throw toTidingsError(error, named === "" ? address : `${address} (${named})`);
        }
        if (clock.monotonic() >= untilMs) throw toTidingsError(error, address);
        await sleep(clock, waitMs);
      }
    }
  }

  /** Does it with a connection to any broker; see `retry`. */
  control<Answer>(act: (connection: Connection) => Promise<Answer>, named?: string): Promise<Answer> {
    return this.retry(async () => act(await this.link.control()), named);
  }

  /** The offsets of partitions of which a broker is the leader. Throws refusals. */
  async offsets(
    node: number,
    topic: string,
    partitions: readonly number[],
    time: bigint,
  ): Promise<Map<number, number>> {
    const { listOffsetsV6 } = this.client;
    const connection = await this.link.connection(node, "control");
    const asked = partitions.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: time }));
    const request = [{ name: topic, partitions: asked }];
    const { topics } = await answered(listOffsetsV6.api.async(connection, -1, 1, request));
    const found = new Map<number, number>();
    for (const { partitionIndex, errorCode, offset } of topics[0]?.partitions ?? []) {
      if (errorCode !== 0) throw new Refusal(errorCode, `topic "${topic}"`);
      found.set(partitionIndex, Number(offset));
    }
    return found;
  }

  /** What topics are set to, by name. Throws refusals. */
  configurations(topics: readonly string[], keys: readonly string[]): Promise<ReadonlyMap<string, Configuration>> {
    const resourceType = this.client.ConfigResourceTypes.TOPIC;
    return this.control(
      (connection) => this.#describe(connection, resourceType, topics, keys),
      "permission DescribeConfigs of topics",
    );
  }

  /** What a broker is set to: only it knows. Throws refusals. */
  async brokerConfiguration(node: number, keys: readonly string[]): Promise<Configuration> {
    const { BROKER } = this.client.ConfigResourceTypes;
    const found = await this.retry(
      async () => this.#describe(await this.link.connection(node, "control"), BROKER, [String(node)], keys),
      "permission DescribeConfigs of the cluster",
    );
    return found.get(String(node)) ?? new Map();
  }

  async #describe(
    connection: Connection,
    resourceType: 2 | 4,
    names: readonly string[],
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, Configuration>> {
    const { describeConfigsV4 } = this.client;
    const request = names.map((resourceName) => ({ resourceType, resourceName, configurationKeys: [...keys] }));
    const { results } = await answered(describeConfigsV4.api.async(connection, request, false, false));
    const found = new Map<string, Configuration>();
    for (const { errorCode, resourceName, configs } of results) {
      // Of a topic that was just made this broker may not have heard yet.
      const code = errorCode === 3 ? 5 : errorCode;
      if (code !== 0) throw new Refusal(code, `the settings of "${resourceName}"`);
      found.set(resourceName, new Map(configs.map(({ name, value }) => [name, value ?? ""])));
    }
    return found;
  }

  /** A number that no other writer has, with which brokers tell repeated batches. */
  async newProducer(): Promise<{ readonly producerId: bigint; readonly epoch: number }> {
    const { initProducerIdV4 } = this.client;
    return this.control(async (connection) => {
      const answer = await answered(initProducerIdV4.api.async(connection, null, 60_000, -1n, -1));
      if (answer.errorCode !== 0) throw new Refusal(answer.errorCode, "a number for this writer");
      return { producerId: answer.producerId, epoch: answer.producerEpoch };
    }, "permission IdempotentWrite of the cluster, or Write of a topic");
  }
}
