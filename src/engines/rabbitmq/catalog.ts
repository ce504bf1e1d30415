import type { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import type { TopicSpec } from "../../ports/topics.ts";
import { nothingThere } from "../broker/rejections.ts";
import { missingOf, noPartition, noTopic } from "../sql/topics.ts";
import { Cursor } from "./cursor.ts";
import { failureKind, gone, toTidingsError } from "./failure.ts";
import type { Link } from "./link.ts";
import { registryOf } from "./names.ts";
import type { Settings } from "./options.ts";
import type { Publisher } from "./publisher.ts";
import { checkStream, eachPartition, makeStream } from "./streams.ts";

/** One message of the registry: topics that were declared together, or topics of which all streams were made. */
interface Entry {
  readonly declared?: readonly TopicSpec[];
  readonly made?: readonly string[];
}

export interface CatalogParts {
  readonly platform: Platform;
  readonly settings: Settings;
  /** The connection for reading. */
  readonly link: Link;
  /** Absent when nothing may be written. */
  readonly writing?: { readonly link: Link; readonly publisher: Publisher };
}

/**
 * The topics of a prefix. They stand in a stream of their own, each declaration one message. Everybody reads the same messages
 * in the same order, and what contradicts an earlier one counts for nobody: so two members that declare at once agree, and a
 * declaration of several topics is there whole or not at all.
 */
export class Catalog {
  readonly #parts: CatalogParts;
  readonly #topics = new Map<string, TopicSpec>();
  readonly #made = new Set<string>();
  /** Topics whose streams this process has made or looked at. */
  readonly #sound = new Map<string, Promise<void>>();
  /** Those of them for which that has come to its end. */
  readonly #ready = new Set<string>();
  #cursor: Cursor<Entry> | undefined;
  #next = 0;
  #reading: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  /** Makes the registry unless it is there, and reads it. */
  async open(): Promise<void> {
    const { settings, writing } = this.#parts;
    if (writing) await makeStream(writing.link, settings, registryOf(settings.prefix), Infinity);
    await this.#refresh();
  }

  /** A topic that is known and sound; undefined for one that must be loaded first, or is none. */
  known(name: string): TopicSpec | undefined {
    return this.#ready.has(name) ? this.#topics.get(name) : undefined;
  }

  /** Looks the topic up. Throws TIDINGS_NOT_FOUND. */
  async topic(name: string): Promise<TopicSpec> {
    const found = this.known(name) ?? (await this.find(name));
    if (!found) throw noTopic(name);
    await this.#ensure(found);
    return found;
  }

  async find(name: string): Promise<TopicSpec | undefined> {
    if (!this.#topics.has(name)) await this.#refresh();
    return this.#topics.get(name);
  }

  async list(): Promise<readonly TopicSpec[]> {
    await this.#refresh();
    return Array.from(this.#topics.values()).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws TIDINGS_PARTITIONS_CHANGED before anything is made. */
  async declare(specs: readonly TopicSpec[]): Promise<void> {
    await this.#refresh();
    for (;;) {
      const declared = missingOf(specs, (name) => this.#topics.get(name));
      if (declared.length === 0) break;
      await this.#append({ declared });
      await this.#refresh();
    }
    const made: string[] = [];
    for (const name of new Set(specs.map((spec) => spec.name))) {
      if (!this.#made.has(name)) made.push(name);
      await this.#ensure(this.#topics.get(name) as TopicSpec, false);
    }
    if (made.length > 0) await this.#append({ made });
  }

  close(): void {
    this.#cursor?.close();
  }

  /** Makes or looks at the streams, once. */
  #ensure(spec: TopicSpec, tells = true): Promise<void> {
    const { name } = spec;
    const begun = this.#sound.get(name);
    if (begun) return begun;
    const work = this.#prove(spec, tells).then(() => void this.#ready.add(name));
    this.#sound.set(name, work);
    work.catch(() => this.#sound.delete(name));
    return work;
  }

  async #prove(spec: TopicSpec, tells: boolean): Promise<void> {
    const { settings, link, writing } = this.#parts;
    const { address } = settings;
    const made = this.#made.has(spec.name);
    await eachPartition(spec, settings, async (queue) => {
      try {
        if (made || !writing) await checkStream(link, queue);
        else await makeStream(writing.link, settings, queue, spec.bytesKept);
      } catch (error) {
        // What was made once may hold events: another one in its place would begin at 0 again.
        throw failureKind(error) === "absent" ? gone(queue, address) : toTidingsError(error, address);
      }
    });
    if (!made && tells && writing) await this.#append({ made: [spec.name] });
  }

  async #append(entry: Entry): Promise<void> {
    const { settings, writing } = this.#parts;
    await writing?.publisher.append(registryOf(settings.prefix), JSON.stringify(entry));
  }

  /** Reads what was there before the call; one that reads already may be past it. */
  #refresh(): Promise<void> {
    if (!this.#reading) return (this.#reading = this.#read().finally(() => (this.#reading = undefined)));
    this.#following ??= this.#reading
      .catch(() => undefined)
      .then(() => {
        this.#following = undefined;
        return this.#refresh();
      });
    return this.#following;
  }

  async #read(): Promise<void> {
    const { settings } = this.#parts;
    for (let tries = 0; ;) {
      const cursor = this.#cursor?.usable ? this.#cursor : (this.#cursor = this.#another());
      try {
        const { entries, next, end } = await cursor.read({ events: 1000, bytes: 1024 * 1024 });
        for (const entry of entries) this.#take(entry);
        this.#next = next;
        // A page with something in it says nothing of what others have declared since.
        if (end && entries.length === 0) return;
      } catch (error) {
        cursor.close();
        if (failureKind(error) === "absent") throw this.#absent();
        const again = failureKind(error) === "away" || (error as { code?: string }).code === "TIDINGS_UNREACHABLE";
        if (!again || tries++ > 0) throw toTidingsError(error, settings.address);
      }
    }
  }

  #another(): Cursor<Entry> {
    const { platform, settings, link } = this.#parts;
    this.#cursor?.close();
    return new Cursor<Entry>(
      {
        link, settings,
        queue: registryOf(settings.prefix),
        clock: platform.clock,
        decode: ({ content }) => entryOf(content.toString()),
        gap: () => ({}),
        // Nothing is ever removed from it.
        first: async () => 0,
      },
      this.#next,
    ); // prettier-ignore
  }

  #absent(): TidingsError {
    const { settings, writing } = this.#parts;
    const { prefix, address } = settings;
    if (writing || this.#next > 0) return gone(registryOf(prefix), address);
    return nothingThere(prefix, address);
  }

  #take({ declared = [], made = [] }: Entry): void {
    const fits = declared.every(({ name, partitions }) => (this.#topics.get(name)?.partitions ?? partitions) === partitions); // prettier-ignore
    if (fits)
      for (const { name, partitions, bytesKept } of declared)
        if (!this.#topics.has(name))
          this.#topics.set(
            name,
            Object.freeze({ name, partitions, ...(bytesKept === undefined ? {} : { bytesKept }) }),
          );
    for (const name of made) if (this.#topics.has(name)) this.#made.add(name);
  }
}

/** What somebody else wrote there says nothing. */
function entryOf(text: string): Entry {
  try {
    const entry = JSON.parse(text) as Entry | null;
    return typeof entry === "object" && entry !== null ? entry : {};
  } catch {
    return {};
  }
}

/** Throws TIDINGS_INVALID_OPTION when the topic has no such partition. */
export function checkPartition(topic: TopicSpec, partition: number): void {
  if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
    throw noPartition(topic, partition);
}
