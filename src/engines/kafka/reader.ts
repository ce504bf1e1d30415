import type { Platform } from "../../platform/platform.ts";
import type { Bounds, ReadLimits, ReadPage } from "../../ports/topics.ts";
import { Cursors } from "../broker/cursors.ts";
import { checkPosition } from "../sql/topics.ts";
import { type Api, at } from "./api.ts";
import { type Catalog, checkPartition, type KnownTopic } from "./catalog.ts";
import { Cursor, type Stretch } from "./cursor.ts";
import { failureKind, Refusal, toTidingsError } from "./failure.ts";
import type { Settings } from "./options.ts";
import type { FetchAnswer, Protocol } from "./protocol.ts";

export interface ReaderParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly api: Api;
  readonly protocol: Protocol;
  readonly catalog: Catalog;
}

/** Reads partitions. */
export class Reader {
  readonly #parts: ReaderParts;
  readonly #cursors = new Cursors<Cursor>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** See `Topics.read`. */
  async read(name: string, partition: number, position: number, limits: ReadLimits): Promise<ReadPage> {
    checkPosition(position);
    const topic = await this.#parts.catalog.topic(name);
    checkPartition(topic.spec, partition);
    let [from, lost] = [position, 0];
    for (;;) {
      const stretch = await this.#stretch(topic, partition, from, limits);
      if (stretch && stretch.records.length > 0)
        return { ...stretch, lost, end: stretch.end && this.#cursors.isEnd(placeOf(topic, partition), stretch.next) };
      if (stretch?.end) return { ...stretch, lost };
      // There is nothing, or nothing any more.
      const { first, next } = (await this.#bounds(topic))[partition] as Bounds;
      if (from < first) [from, lost] = [first, first - position];
      else if (from >= next) return { records: [], next: from, lost, end: true };
    }
  }

  /** See `Topics.bounds`. */
  async bounds(name: string): Promise<readonly Bounds[]> {
    return this.#bounds(await this.#parts.catalog.topic(name));
  }

  /** By partition: the offset that brokers say for this, by time or `at`. */
  async offsets(topic: KnownTopic, time: bigint): Promise<readonly number[]> {
    const { api } = this.#parts;
    const offsets: number[] = [];
    await this.#led(topic, async () => {
      const byLeader = Map.groupBy(topic.leaders.keys(), (partition) => topic.leaders[partition] as number);
      const answers = Array.from(byLeader, ([node, partitions]) => api.offsets(node, topic.name, partitions, time));
      for (const found of await Promise.all(answers))
        for (const [partition, offset] of found) offsets[partition] = offset;
    });
    return offsets;
  }

  /** Does what asks the leaders of a topic, again where they are others now. */
  async #led<Answer>(topic: KnownTopic, act: () => Promise<Answer>): Promise<Answer> {
    const { api, catalog, settings } = this.#parts;
    try {
      return await api.retry(async () => {
        try {
          return await act();
        } catch (error) {
          const kind = failureKind(error);
          if (kind !== "away" && kind !== "absent" && (error as { code?: string }).code !== "TIDINGS_UNREACHABLE")
            throw error;
          await catalog.refresh();
          if (topic.gone) throw topic.gone;
          // A broker that has just started may not know it yet.
          throw kind === "absent" ? new Refusal(5, `topic "${topic.name}"`) : error;
        }
      }, `permission Read of topic "${topic.name}"`);
    } catch (error) {
      throw failureKind(error) === "range" ? error : toTidingsError(error, settings.address);
    }
  }

  /** Takes note of an event that is stored. */
  stored(topic: KnownTopic, partition: number, position: number): void {
    this.#cursors.stored(placeOf(topic, partition), position);
  }

  /** Whether all who read a partition have fetched what stands before a position, and wait for what comes there. */
  areBefore(topic: KnownTopic, partition: number, position: number): boolean {
    const cursors = Array.from(this.#cursors.of(placeOf(topic, partition)));
    return cursors.length > 0 && cursors.every((cursor) => cursor.isBefore(position));
  }

  /** Gives those who read a partition what was fetched of it from a position on. */
  offer(topic: KnownTopic, partition: number, position: number, answer: FetchAnswer): void {
    for (const cursor of this.#cursors.of(placeOf(topic, partition))) cursor.offer(position, answer);
  }

  /** What was read ahead of a topic must not be read any more. */
  forget(topic: KnownTopic): void {
    for (const partition of topic.leaders.keys()) this.#cursors.forget(placeOf(topic, partition));
  }

  close(): void {
    this.#cursors.close();
  }

  async #bounds(topic: KnownTopic): Promise<readonly Bounds[]> {
    const [firsts, ends] = await Promise.all([this.offsets(topic, at.first), this.offsets(topic, at.end)]);
    return ends.map((next, partition) => ({ first: Math.min(firsts[partition] as number, next), next }));
  }

  /** Undefined where the position is not there, or not there any more. */
  async #stretch(
    topic: KnownTopic,
    partition: number,
    position: number,
    limits: ReadLimits,
  ): Promise<Stretch | undefined> {
    try {
      const make = (): Cursor => this.#made(topic, partition, position);
      return await this.#cursors.use(placeOf(topic, partition), position, make, (cursor) => cursor.read(limits));
    } catch (error) {
      if (failureKind(error) === "range") return undefined;
      throw error;
    }
  }

  #made(topic: KnownTopic, partition: number, position: number): Cursor {
    const { platform, settings, protocol } = this.#parts;
    return new Cursor(
      {
        clock: platform.clock,
        codec: protocol.codec,
        windowBytesMax: settings.windowBytesMax,
        place: { topic: topic.spec.name, partition, address: settings.address },
        fetch: (from, bytesMax) => this.#led(topic, () => this.#fetch(topic, partition, from, bytesMax)),
      },
      position,
    );
  }

  async #fetch(topic: KnownTopic, partition: number, position: number, bytesMax: number): Promise<FetchAnswer> {
    const { api, protocol } = this.#parts;
    const connection = await api.link.connection(topic.leaders[partition] ?? -1, "read");
    const entry = { topic: topic.name, partition, position, bytesMax };
    const [answer] = await protocol.fetch(connection, [entry], { waitMs: 0, bytesMin: 0, bytesMax });
    const what = `topic "${topic.name}", partition ${partition}`;
    if (!answer) throw new Refusal(5, what);
    if (answer.error !== 0) throw new Refusal(answer.error, what);
    // Something is there and was not given: the broker has it not at hand.
    if (answer.records.length === 0 && answer.stableEnd > position) throw new Refusal(9, what);
    return answer;
  }
}

const placeOf = ({ name }: KnownTopic, partition: number): string => `${name}/${partition}`;
