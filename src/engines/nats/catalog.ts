import type { TopicSpec } from "../../ports/topics.ts";
import { nothingThere } from "../broker/rejections.ts";
import { missingOf, noPartition, noTopic } from "../sql/topics.ts";
import type { Api, GotMessage, StreamInfo } from "./api.ts";
import { failureKind, Refusal, toTidingsError, unreachable } from "./failure.ts";
import type { Link } from "./link.ts";
import { registryStreamOf, registrySubjectOf } from "./names.ts";
import type { Settings } from "./options.ts";
import { checkStream, eachPartition, gone, isAbsent, makeStream } from "./streams.ts";

/** One message of the registry: topics that were declared together, or topics of which all streams were made. */
interface Entry {
  readonly declared?: readonly TopicSpec[];
  readonly made?: readonly string[];
}

/**
 * The topics of a prefix. They stand in a stream of their own, each declaration one message that expects the one before
 * it: so two members that declare at once see each other, and a declaration of several topics is there whole or not at all.
 */
export class Catalog {
  readonly #api: Api;
  readonly #link: Link;
  readonly #settings: Settings;
  readonly #topics = new Map<string, TopicSpec>();
  readonly #made = new Set<string>();
  /** Topics whose streams this process has made or looked at. */
  readonly #sound = new Map<string, Promise<void>>();
  /** Those of them for which that has come to its end. */
  readonly #ready = new Set<string>();
  #last = 0;
  #reading: Promise<void> | undefined;

  constructor(api: Api, link: Link, settings: Settings) {
    this.#api = api;
    this.#link = link;
    this.#settings = settings;
  }

  /** Makes the registry unless it is there, and reads it. */
  async open(): Promise<void> {
    const { prefix, readOnly } = this.#settings;
    const name = registryStreamOf(prefix);
    if (!readOnly) await makeStream(this.#api, this.#settings, name, registrySubjectOf(prefix));
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
    for (;;) {
      await this.#refresh();
      const declared = missingOf(specs, (name) => this.#topics.get(name));
      if (declared.length === 0 || (await this.#append({ declared }, this.#last))) break;
    }
    const names = new Set(specs.map(({ name }) => name));
    await this.#refresh();
    const made: string[] = [];
    for (const name of names) {
      const spec = this.#topics.get(name) as TopicSpec;
      if (!this.#made.has(name)) made.push(name);
      await this.#ensure(spec, false);
    }
    if (made.length > 0) await this.#append({ made });
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
    const { address, readOnly } = this.#settings;
    const made = this.#made.has(spec.name);
    await eachPartition(spec, this.#settings, async (stream, subject) => {
      try {
        if (made || readOnly) await checkStream(this.#api, this.#settings, stream);
        else await makeStream(this.#api, this.#settings, stream, subject);
      } catch (error) {
        // What was made once may hold events: another one in its place would begin at 0 again.
        if (isAbsent(error)) throw gone(stream, address);
        throw error instanceof Refusal ? toTidingsError(error, address) : error;
      }
    });
    if (!made && tells && !readOnly) await this.#append({ made: [spec.name] });
  }

  /** False when somebody else was faster than what was `expected`. */
  async #append(entry: Entry, expected?: number): Promise<boolean> {
    const line = await this.#link.ready();
    const guard = expected === undefined ? "" : `Nats-Expected-Last-Sequence: ${expected}\r\n`;
    const headers = { encode: () => Buffer.from(`NATS/1.0\r\n${guard}\r\n`) } as never;
    try {
      const subject = registrySubjectOf(this.#settings.prefix);
      const reply = await line.nc.request(subject, JSON.stringify(entry), { headers, timeout: 5000 });
      const { error } = JSON.parse(reply.string()) as { error?: ConstructorParameters<typeof Refusal>[0] };
      if (error) throw new Refusal(error);
      return true;
    } catch (error) {
      if (failureKind(error) === "sequence") return false;
      // It may have been written: whoever declares looks again, and an expected sequence lets nothing be written twice.
      if (failureKind(error) === "away" && expected !== undefined) {
        await this.#link.ready();
        return false;
      }
      throw toTidingsError(error, this.#settings.address);
    }
  }

  #refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { prefix, address, readOnly } = this.#settings;
    const name = registryStreamOf(prefix);
    let last: number;
    try {
      last = (await this.#api.ask<StreamInfo>(`STREAM.INFO.${name}`)).state.last_seq;
    } catch (error) {
      if (!isAbsent(error)) throw toTidingsError(error, address);
      if (!readOnly) throw gone(name, address);
      throw nothingThere(prefix, address);
    }
    if (last < this.#last) throw gone(name, address);
    while (this.#last < last) {
      const sequences = Array.from({ length: Math.min(64, last - this.#last) }, (_, index) => this.#last + 1 + index);
      const found = await Promise.all(sequences.map((seq) => this.#entry(name, seq)));
      for (const entry of found) this.#take(entry);
      this.#last += sequences.length;
    }
  }

  async #entry(stream: string, seq: number): Promise<Entry> {
    const { address } = this.#settings;
    try {
      const { message } = await this.#api.ask<GotMessage>(`STREAM.MSG.GET.${stream}`, { seq });
      return JSON.parse(Buffer.from(message.data ?? "", "base64").toString()) as Entry;
    } catch (error) {
      if (error instanceof SyntaxError || isAbsent(error)) throw gone(stream, address);
      if (failureKind(error) === "away") throw unreachable(address, (error as Error).message);
      throw error;
    }
  }

  #take({ declared = [], made = [] }: Entry): void {
    for (const { name, partitions } of declared) this.#topics.set(name, Object.freeze({ name, partitions }));
    for (const name of made) this.#made.add(name);
  }
}

/** Throws TIDINGS_INVALID_OPTION when the topic has no such partition. */
export function checkPartition(topic: TopicSpec, partition: number): void {
  if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
    throw noPartition(topic, partition);
}
