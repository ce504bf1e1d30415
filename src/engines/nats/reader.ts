import type { Platform } from "../../platform/platform.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Bounds, ReadLimits, ReadPage, TopicSpec } from "../../ports/topics.ts";
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

/** Cursors that are kept for those who go on where they stopped, in all. */
const cursorsMax = 256;

export interface ReaderParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly api: Api;
  readonly catalog: Catalog;
  readonly consumers: Consumers;
}

/** Reads partitions. */
export class Reader {
  readonly #parts: ReaderParts;
  /** The cursors, those that were used last at the end; several readers may be at different places of one partition. */
  readonly #cursors = new Map<string, Cursor[]>();
  #kept = 0;

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
    for (let tries = 0; ; tries++) {
      const stretch = await this.#stretch(stream, topic, partition, position, limits, tries);
      if (stretch.records.length > 0) return pageOf(stretch);
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

  /** What was read ahead of a stream must not be read any more. */
  forget(stream: string): void {
    for (const cursor of this.#cursors.get(stream) ?? []) {
      cursor.close();
      this.#kept--;
    }
    this.#cursors.delete(stream);
  }

  close(): void {
    for (const cursors of this.#cursors.values()) for (const cursor of cursors) cursor.close();
    this.#cursors.clear();
  }

  async #stretch(
    stream: string,
    topic: TopicSpec,
    partition: number,
    position: number,
    limits: ReadLimits,
    tries: number,
  ): Promise<Stretch> {
    const { platform, settings, consumers } = this.#parts;
    const cursor =
      this.#found(stream, position) ??
      new Cursor({ clock: platform.clock, settings, consumers, stream, decode: (delivered) => this.decode(topic, partition, delivered) }, position); // prettier-ignore
    cursor.busy = true;
    try {
      const stretch = await cursor.read(limits);
      cursor.busy = false;
      this.#keep(stream, cursor);
      return stretch;
    } catch (error) {
      cursor.close();
      if (isAbsent(error)) throw gone(stream, settings.address);
      // A consumer may vanish with the server that had it; the next one is made elsewhere.
      const once = tries === 0 && (error as { code?: string }).code === "TIDINGS_UNREACHABLE";
      if (!once) throw error instanceof Refusal ? toTidingsError(error, settings.address) : error;
      return { records: [], next: position, lost: 0, end: false };
    }
  }

  /** A cursor that stands there, taken out. */
  #found(stream: string, position: number): Cursor | undefined {
    const cursors = this.#cursors.get(stream);
    if (!cursors) return undefined;
    for (const cursor of Array.from(cursors)) {
      if (cursor.usable && cursor.next !== position) continue;
      cursors.splice(cursors.indexOf(cursor), 1);
      this.#kept--;
      if (cursor.usable) return cursor;
      cursor.close();
    }
    return undefined;
  }

  #keep(stream: string, cursor: Cursor): void {
    if (!cursor.usable) return cursor.close();
    const cursors = this.#cursors.get(stream) ?? [];
    cursors.push(cursor);
    this.#cursors.delete(stream);
    this.#cursors.set(stream, cursors);
    this.#kept++;
    if (this.#kept <= cursorsMax) return;
    for (const [other, [oldest, ...left]] of this.#cursors) {
      if (left.length === 0) this.#cursors.delete(other);
      else this.#cursors.set(other, left);
      if (!oldest) continue;
      oldest.close();
      this.#kept--;
      return;
    }
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

const pageOf = ({ records, next, lost, end }: Stretch): ReadPage => ({ records, next, lost, end });
