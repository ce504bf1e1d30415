import { hasCode } from "../../errors/tidings-error.ts";
import type { StoredRecord } from "../../event/record.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Bounds, ReadLimits, ReadPage, TopicSpec } from "../../ports/topics.ts";
import { Cursors } from "../broker/cursors.ts";
import { checkPosition } from "../sql/topics.ts";
import { type Catalog, checkPartition } from "./catalog.ts";
import { Cursor } from "./cursor.ts";
import { failureKind, gone, toTidingsError } from "./failure.ts";
import type { Known } from "./known.ts";
import type { Link } from "./link.ts";
import { queueOf } from "./names.ts";
import type { Settings } from "./options.ts";
import { boundsOf, positionAt } from "./probe.ts";
import { appendedAt, gapRecord, recordOf } from "./unwire.ts";

/** So many streams are looked at at once. */
const atOnce = 8;

export interface ReaderParts {
  readonly platform: Platform;
  readonly settings: Settings;
  readonly link: Link;
  readonly catalog: Pick<Catalog, "known" | "topic">;
  readonly known: Known;
  /** Something came for a topic whose readers had read all. */
  readonly came: (topic: string, partition: number) => void;
}

/** Reads partitions. */
export class Reader {
  readonly #parts: ReaderParts;
  readonly #cursors = new Cursors<Cursor<StoredRecord>>();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** See `Topics.read`. */
  async read(name: string, partition: number, position: number, limits: ReadLimits): Promise<ReadPage> {
    checkPosition(position);
    const { catalog, settings } = this.#parts;
    const topic = catalog.known(name) ?? (await catalog.topic(name));
    checkPartition(topic, partition);
    const queue = queueOf(settings.prefix, name, partition);
    for (let tries = 0; ; tries++) {
      try {
        const make = (): Cursor<StoredRecord> => this.#made(topic, partition, queue, position);
        const {
          entries: records,
          next,
          lost,
          end,
        } = await this.#cursors.use(queue, position, make, (cursor) => cursor.read(limits));
        const { known } = this.#parts;
        if (records.length > 0) known.seen(queue, next - 1);
        return { records, next, lost, end: end && next > (known.offset(queue) ?? -1) };
      } catch (error) {
        if (hasCode(error, "TIDINGS_RECORD_CORRUPT")) throw error;
        // A consumer may vanish with the connection that had it; the next one waits for another.
        const again = hasCode(error, "TIDINGS_UNREACHABLE") || failureKind(error) === "away";
        if (!again || tries > 0) throw this.#named(error, queue);
      }
    }
  }

  /** See `Topics.bounds`. */
  async bounds(name: string): Promise<readonly Bounds[]> {
    return this.#each(name, (queue) => this.#boundsOf(queue));
  }

  /** See `Topics.positionsAt`. */
  async positionsAt(name: string, timeMs: number): Promise<readonly number[]> {
    return this.#each(name, async (queue) => {
      const found = await this.#parts.link.ask((model) => positionAt(model, queue, timeMs));
      return found ?? (await this.#boundsOf(queue)).next;
    });
  }

  /** Whether all who read a partition are sent what comes. */
  hears(topic: string, partition: number): boolean {
    return this.#cursors.hears(queueOf(this.#parts.settings.prefix, topic, partition));
  }

  /** Whether anybody reads a partition. */
  isRead(topic: string, partition: number): boolean {
    return this.#cursors.has(queueOf(this.#parts.settings.prefix, topic, partition));
  }

  close(): void {
    this.#cursors.close();
  }

  async #each<Answer>(name: string, ask: (queue: string) => Promise<Answer>): Promise<Answer[]> {
    const { catalog, settings } = this.#parts;
    const { partitions } = await catalog.topic(name);
    const answers: Answer[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      for (let partition = next++; partition < partitions; partition = next++) {
        const queue = queueOf(settings.prefix, name, partition);
        try {
          answers[partition] = await ask(queue);
        } catch (error) {
          throw this.#named(error, queue);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, partitions) }, work));
    return answers;
  }

  async #boundsOf(queue: string): Promise<Bounds> {
    const { link, settings, known: streams } = this.#parts;
    const known = streams.offset(queue);
    const bounds = await link.ask((model) => boundsOf(model, queue, known));
    // Streams never forget how far they were: this is another one.
    if (known !== undefined && bounds.next <= known) throw gone(queue, settings.address);
    if (bounds.next > 0) streams.seen(queue, bounds.next - 1);
    return bounds;
  }

  #made(topic: TopicSpec, partition: number, queue: string, position: number): Cursor<StoredRecord> {
    const { link, settings, platform, known, came } = this.#parts;
    const { name } = topic;
    const { address } = settings;
    const place = (at: number) => ({ topic: name, partition, position: at, address });
    return new Cursor<StoredRecord>(
      {
        link, settings, queue, known,
        clock: platform.clock,
        decode: (message, at) => recordOf(message, place(at)),
        gap: (at, before) => gapRecord(place(at), appendedAt(before)),
        first: async () => (await this.#boundsOf(queue)).first,
        came: () => came(name, partition),
      },
      position,
    ); // prettier-ignore
  }

  #named(error: unknown, queue: string): Error {
    const { address } = this.#parts.settings;
    return failureKind(error) === "absent" ? gone(queue, address) : toTidingsError(error, address);
  }
}
