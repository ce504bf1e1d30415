import { TidingsError } from "../../errors/tidings-error.ts";
import { sleep } from "../../platform/clock.ts";
import type { Platform } from "../../platform/platform.ts";
import type { ShownPosition } from "../../ports/topics.ts";
import { checkPosition } from "../sql/topics.ts";
import type { Api } from "./api.ts";
import { type Catalog, checkPartition } from "./catalog.ts";
import { failureKind, Refusal, toTidingsError } from "./failure.ts";
import { answered } from "./link.ts";
import type { Settings } from "./options.ts";

export interface ConsumerGroupsParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly api: Api;
  readonly catalog: Catalog;
}

/** For so long a coordinator is waited for that is not ready, in milliseconds: the first group of a cluster takes a moment. */
const patienceMs = 1000;
const pauseMs = 50;
/** What a coordinator answers when consumers of somebody else are in a group of this name. */
const taken: ReadonlySet<number> = new Set([22, 23, 25, 69, 113]);

/**
 * Shows how far subscriptions are to those who look at the offsets of consumer groups. Nobody joins these groups: an offset is
 * committed to them from outside, as tools that reset offsets do.
 */
export class ConsumerGroups {
  readonly #parts: ConsumerGroupsParts;
  /** By group: the broker that keeps its offsets. */
  readonly #coordinators = new Map<string, number>();

  constructor(parts: ConsumerGroupsParts) {
    this.#parts = parts;
  }

  /** See `Topics.showPositions`. */
  async show(subscription: string, name: string, positions: readonly ShownPosition[]): Promise<void> {
    const { settings, catalog, platform } = this.#parts;
    const topic = await catalog.topic(name);
    const partitions = positions.map(({ partition, position }) => {
      checkPartition(topic.spec, partition);
      checkPosition(position);
      return { partitionIndex: partition, committedOffset: BigInt(position), committedLeaderEpoch: -1, committedMetadata: "tidings" }; // prettier-ignore
    });
    if (partitions.length === 0) return;
    const group = groupOf(subscription, settings);
    const { clock } = platform;
    const untilMs = clock.monotonic() + patienceMs;
    for (;;) {
      try {
        return await this.#commit(group, topic.name, partitions);
      } catch (error) {
        this.#coordinators.delete(group);
        const isRefusal = error instanceof Refusal;
        if (isRefusal && taken.has(error.number)) throw inUse(group, error, settings);
        if (!isRefusal || failureKind(error) !== "away" || clock.monotonic() >= untilMs)
          throw toTidingsError(error, `${settings.address} (permission Read of group "${group}")`);
      }
      await sleep(clock, pauseMs);
    }
  }

  async #commit(group: string, name: string, partitions: OffsetCommitPartition[]): Promise<void> {
    const { link, client } = this.#parts.api;
    const connection = await link.connection(await this.#coordinatorOf(group), "control");
    const request = client.offsetCommitV8.api.async(connection, group, -1, "", null, [{ name, partitions }]);
    for (const topic of (await answered(request)).topics)
      for (const { errorCode } of topic.partitions)
        if (errorCode !== 0) throw new Refusal(errorCode, `group "${group}"`);
  }

  async #coordinatorOf(group: string): Promise<number> {
    const known = this.#coordinators.get(group);
    if (known !== undefined) return known;
    const { link, client } = this.#parts.api;
    const asked = client.findCoordinatorV3.api.async(await link.control(), 0, [group]);
    const [found] = (await answered(asked)).coordinators;
    if (!found || found.errorCode !== 0) throw new Refusal(found?.errorCode ?? 15, `group "${group}"`);
    this.#coordinators.set(group, found.nodeId);
    return found.nodeId;
  }
}

interface OffsetCommitPartition {
  readonly partitionIndex: number;
  readonly committedOffset: bigint;
  readonly committedLeaderEpoch: number;
  readonly committedMetadata: string;
}

/** `payments/orders` as `payments.orders`: a slash is in the way of tools that name a group in the path of an address. */
export const groupOf = (subscription: string, { groupPrefix }: Pick<Settings, "groupPrefix">): string =>
  groupPrefix + subscription.replaceAll("/", ".");

function inUse(group: string, cause: Refusal, { address }: Settings): TidingsError {
  return new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The consumer group "${group}" at ${address} has members of somebody else: give another groupPrefix.`,
    { cause, details: { option: "groupPrefix", group, address } },
  );
}
