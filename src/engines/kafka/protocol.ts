import type { Connection } from "@platformatic/kafka";
import type { Codec, Fetched } from "./batch.ts";
import { Bytes, Scan } from "./bytes.ts";
import type { Client } from "./client.ts";

/** One batch of a request to write. */
export interface ProduceEntry {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  /** 0 when it was written. */
  readonly error: number;
  readonly base: number;
}

export interface FetchEntry {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly bytesMax: number;
}

export interface FetchAnswer extends Fetched {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  /** What may be read ends before this offset. */
  readonly stableEnd: number;
  readonly first: number;
}

export interface FetchLimits {
  readonly waitMs: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
}

/** Versions of requests that we write; brokers from 2.8 on know all of them, see `checkServer`. */
export const versions = {
  Produce: [0, 9], Fetch: [1, 12], ListOffsets: [2, 6], Metadata: [3, 10], ApiVersions: [18, 3], CreateTopics: [19, 7],
  OffsetCommit: [8, 8], FindCoordinator: [10, 3], DeleteRecords: [21, 2], InitProducerId: [22, 4], DescribeConfigs: [32, 4],
} as const; // prettier-ignore

/** The requests by which events are written and read: their bodies are ours, since we keep batches as they are on the wire. */
export class Protocol {
  readonly client: Client;
  readonly codec: Codec;

  constructor(client: Client) {
    this.client = client;
    const kinds = client.compressionsAlgorithmsByBitmask as Readonly<Record<number, Decompressor | undefined>>;
    this.codec = {
      crc32c: (bytes) => client.crc32c(bytes),
      decompress(kind, bytes) {
        const found = kinds[kind];
        if (!found) throw new Error(`A batch is compressed in a way that is not known (${kind}).`);
        return found.decompressSync(bytes);
      },
    };
  }

  produce(connection: Connection, entries: readonly ProduceEntry[], timeoutMs: number): Promise<ProduceAnswer[]> {
    const [key, version] = versions.Produce;
    return this.#send(connection, key, version, () => produceBody(entries, timeoutMs), produceAnswers);
  }

  fetch(connection: Connection, entries: readonly FetchEntry[], limits: FetchLimits): Promise<FetchAnswer[]> {
    const [key, version] = versions.Fetch;
    return this.#send(connection, key, version, () => fetchBody(entries, limits), fetchAnswers);
  }

  #send<Answer>(
    connection: Connection,
    key: number,
    version: number,
    body: () => Bytes,
    parse: (scan: Scan) => Answer,
  ): Promise<Answer> {
    const { Writer } = this.client;
    return new Promise((resolve, reject) => {
      const take = (error: Error | null | undefined, answer: Answer | undefined): void => {
        if (error) reject(error);
        else resolve(answer as Answer);
      };
      const parsed = (_number: number, _key: number, _version: number, reader: Rest): Answer =>
        parse(new Scan(reader.buffer.slice(reader.position)));
      connection.send(key, version, () => Writer.create().append(body().written()), parsed, true, true, take);
    });
  }
}

interface Decompressor {
  decompressSync(bytes: Buffer): Buffer;
}

/** What the client hands to a parser. */
interface Rest {
  readonly buffer: { slice(from: number): Buffer };
  readonly position: number;
}

function produceBody(entries: readonly ProduceEntry[], timeoutMs: number): Bytes {
  let room = 64;
  for (const { batch, topic } of entries) room += batch.length + topic.length + 32;
  const bytes = new Bytes(room);
  bytes.uvarint(0); // in no transaction
  bytes.int16(-1); // all replicas that are in sync
  bytes.int32(timeoutMs);
  byTopic(bytes, entries, ({ partition, batch }) => {
    bytes.int32(partition);
    bytes.uvarint(batch.length + 1);
    bytes.raw(batch);
    bytes.uvarint(0);
  });
  bytes.uvarint(0);
  return bytes;
}

function produceAnswers(scan: Scan): ProduceAnswer[] {
  const answers: ProduceAnswer[] = [];
  each(scan, () => {
    const topic = scan.compactText() ?? "";
    each(scan, () => {
      const [partition, error, base] = [scan.int32(), scan.int16(), scan.long()];
      answers.push({ topic, partition, error, base });
      scan.raw(16);
      each(scan, () => {
        scan.int32();
        scan.compactText();
        scan.tags();
      });
      scan.compactText();
      scan.tags();
    });
    scan.tags();
  });
  return answers;
}

function fetchBody(entries: readonly FetchEntry[], { waitMs, bytesMin, bytesMax }: FetchLimits): Bytes {
  const bytes = new Bytes(64 + entries.length * 96);
  bytes.int32(-1);
  bytes.int32(waitMs);
  bytes.int32(bytesMin);
  bytes.int32(bytesMax);
  bytes.int8(1); // nothing of a transaction that is open
  bytes.int32(0);
  bytes.int32(-1); // no session
  byTopic(bytes, entries, ({ partition, position, bytesMax: most }) => {
    bytes.int32(partition);
    bytes.int32(-1);
    bytes.int64(BigInt(position));
    bytes.int32(-1);
    bytes.int64(-1n);
    bytes.int32(most);
    bytes.uvarint(0);
  });
  bytes.uvarint(1);
  bytes.uvarint(1);
  bytes.uvarint(0);
  return bytes;
}

function fetchAnswers(scan: Scan): FetchAnswer[] {
  const answers: FetchAnswer[] = [];
  scan.int32();
  scan.int16();
  scan.int32();
  each(scan, () => {
    const topic = scan.compactText() ?? "";
    each(scan, () => {
      const [partition, error] = [scan.int32(), scan.int16()];
      scan.long();
      const [stableEnd, first] = [scan.long(), scan.long()];
      const aborted: { producerId: bigint; firstOffset: number }[] = [];
      each(scan, () => {
        aborted.push({ producerId: scan.int64(), firstOffset: scan.long() });
        scan.tags();
      });
      scan.int32();
      const length = scan.uvarint();
      const records = length > 1 ? scan.raw(length - 1) : nothing;
      scan.tags();
      answers.push({ topic, partition, error, stableEnd, first, aborted, records });
    });
    scan.tags();
  });
  return answers;
}

const nothing = Buffer.alloc(0);

/** The elements of an array, of which the length plus 1 stands before it; 0 is none. */
function each(scan: Scan, read: () => void): void {
  for (let count = scan.uvarint() - 1; count > 0; count--) read();
}

function byTopic<Entry extends { readonly topic: string }>(
  bytes: Bytes,
  entries: readonly Entry[],
  write: (entry: Entry) => void,
): void {
  const topics = Map.groupBy(entries, ({ topic }) => topic);
  bytes.uvarint(topics.size + 1);
  for (const [topic, own] of topics) {
    bytes.compactText(topic);
    bytes.uvarint(own.length + 1);
    for (const entry of own) write(entry);
    bytes.uvarint(0);
  }
}
