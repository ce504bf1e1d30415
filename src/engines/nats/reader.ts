import type { Platform } from "../../platform/platform.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Bounds, ReadLimits, ReadPage, TopicSpec } from "../../ports/topics.ts";
import { Cursors } from "../broker/cursors.ts";
import { checkPosition } from "../sql/topics.ts";
import type { Api, GotMessage, StreamInfo } from "./api.ts";
import { type Catalog, checkPartition } from "./catalog.ts";
import type { Consumers, Delivered } from "./consumer.ts";
import { Cursor, type Stretch } from "./cursor.ts";
import { Refusal, toTidingsError } from "./failure.ts";
import { headersOf } from "./headers.ts";
import { streamOf, subjectOf } from "./names.ts";
import type { Settings } from "./options.ts";
import { gone, isAbsent } from "./streams.ts";
import { recordOf } from "./unwire.ts";

export interface ReaderParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly api: Api;
  readonly catalog: Catalog;
  readonly consumers: Consumers;
  /** A reader was sent something that is new. */
  readonly came: (topic: string, partition: number) => void;
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
    const { catalog, settings } = this.#parts;
    const topic = await catalog.topic(name);
    checkPartition(topic, partition);
    const stream = streamOf(settings.prefix, name, partition);
    let failed = false;
    for (let isMore = false; ; isMore = true) {
      const stretch = await this.#stretch(stream, topic, partition, position, limits, isMore, failed);
      failed ||= stretch === undefined;
      if (stretch && stretch.records.length > 0)
        return { ...stretch, end: stretch.end && this.#cursors.isEnd(stream, stretch.next) };
      const page = await this.#empty(stream, topic, partition, position);
      if (page) return page;
    }
  }

  /** See `Topics.bounds`. */
  async bounds(name: string): Promise<readonly Bounds[]> {
    const { catalog, settings } = this.#parts;
    const { partitions } = await catalog.topic(name);
    return Promise.all(
      Array.from({ length: partitions }, (_, partition) => this.state(streamOf(settings.prefix, name, partition))),
    );
  }

  /** The bounds of a stream, and what it holds. */
  async state(stream: string): Promise<Bounds & { readonly messages: number; readonly bytes: number }> {
    const { api, settings } = this.#parts;
    try {
      const { state } = await api.ask<StreamInfo>(`STREAM.INFO.${stream}`);
      const next = state.last_seq;
      // A stream that never held anything says 0 for its first, and one that holds nothing any more what comes next.
      return {
        first: Math.min(Math.max(state.first_seq - 1, 0), next),
        next,
        messages: state.messages,
        bytes: state.bytes,
      };
    } catch (error) {
      if (isAbsent(error)) throw gone(stream, settings.address);
      throw error instanceof Refusal ? toTidingsError(error, settings.address) : error;
    }
  }

  /** Makes the record of a delivered message. Throws TIDINGS_RECORD_CORRUPT. */
  decode({ name: topic }: TopicSpec, partition: number, { sequence, appendedAtMs, message }: Delivered): StoredRecord {
    const place = { topic, partition, position: sequence - 1, appendedAtMs, address: this.#parts.settings.address };
    return recordOf(headersOf(message), message.data, place);
  }

  /** Takes note of an event that is stored. */
  stored(topic: string, partition: number, position: number): void {
    this.#cursors.stored(streamOf(this.#parts.settings.prefix, topic, partition), position);
  }

  /** Whether all who read a partition are sent what comes. */
  hears(topic: string, partition: number): boolean {
    return this.#cursors.hears(streamOf(this.#parts.settings.prefix, topic, partition));
  }

  /** What was read ahead of a stream must not be read any more. */
  forget(stream: string): void {
    this.#cursors.forget(stream);
  }

  close(): void {
    this.#cursors.close();
  }

  /** What a cursor finds; undefined when it got no answer for the first time. */
  async #stretch(
    stream: string,
    topic: TopicSpec,
    partition: number,
    position: number,
    limits: ReadLimits,
    isMore: boolean,
    failed: boolean,
  ): Promise<Stretch | undefined> {
    try {
      const make = (): Cursor => this.#made(stream, topic, partition, position);
      return await this.#cursors.use(stream, position, make, (cursor) => cursor.read(limits, isMore));
    } catch (error) {
      const { address } = this.#parts.settings;
      if (isAbsent(error)) throw gone(stream, address);
      // A consumer may vanish with the server that had it; the next one is made elsewhere.
      if (!failed && (error as { code?: string }).code === "TIDINGS_UNREACHABLE") return undefined;
      throw error instanceof Refusal ? toTidingsError(error, address) : error;
    }
  }

  #made(stream: string, topic: TopicSpec, partition: number, position: number): Cursor {
    const { platform, settings, consumers, came } = this.#parts;
    const decode = (delivered: Delivered): StoredRecord => this.decode(topic, partition, delivered);
    const parts = {
      clock: platform.clock,
      settings,
      consumers,
      stream,
      decode,
      came: () => came(topic.name, partition),
    };
    return new Cursor(parts, position);
  }

  /** What stands where nothing was found; undefined when there is something after all. */
  async #empty(stream: string, topic: TopicSpec, partition: number, position: number): Promise<ReadPage | undefined> {
    const { first, next } = await this.state(stream);
    if (position >= next) return { records: [], next: position, lost: 0, end: true };
    if (first >= next) return { records: [], next, lost: next - position, end: true };
    // Others may have removed single messages, up to the last one.
    const { api, settings } = this.#parts;
    const at = { seq: position + 1, next_by_subj: subjectOf(settings.prefix, topic.name, partition) };
    try {
      await api.ask<GotMessage>(`STREAM.MSG.GET.${stream}`, at);
      return undefined;
    } catch (error) {
      if (!isAbsent(error)) throw error instanceof Refusal ? toTidingsError(error, settings.address) : error;
      return { records: [], next, lost: next - position, end: false };
    }
  }
}
