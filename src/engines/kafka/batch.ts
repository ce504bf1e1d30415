import { Bytes, Scan } from "./bytes.ts";
import type { Compression } from "./compression.ts";
import { batchOverhead, recordOverhead, type Draft } from "./wire.ts";

/** Who a batch is from: what brokers tell repeated batches by. */
export interface Identity {
  readonly producerId: bigint;
  readonly epoch: number;
  /** That of the next event of the partition. */
  sequence: number;
}

/** How many bytes an event may take in a batch. */
export const bytesInBatch = ({ body }: Draft): number => body.length + recordOverhead;

/** Writes events as one batch, as https://kafka.apache.org/documentation/#recordbatch says. */
export function batchOf(
  drafts: readonly Draft[],
  identity: Identity,
  nowMs: number,
  crc32c: Crc32c,
  compression?: Compression,
): Buffer {
  let room = batchOverhead;
  for (const draft of drafts) room += bytesInBatch(draft);
  const bytes = new Bytes(room);
  bytes.int64(0n); // the broker writes the offset
  bytes.int32(0); // the length, see below
  bytes.int32(-1); // the leader's epoch, which the broker writes
  bytes.int8(2);
  bytes.int32(0); // the checksum, see below
  bytes.int16(0);
  bytes.int32(drafts.length - 1);
  bytes.int64(BigInt(nowMs));
  bytes.int64(BigInt(nowMs));
  bytes.int64(identity.producerId);
  bytes.int16(identity.epoch);
  bytes.int32(identity.sequence);
  bytes.int32(drafts.length);
  for (let index = 0; index < drafts.length; index++) {
    const { body } = drafts[index] as Draft;
    bytes.varint(2 + varintBytes(index) + body.length);
    bytes.int8(0);
    bytes.int8(0); // all of a batch have its time
    bytes.varint(index);
    bytes.raw(body);
  }
  const written = compression ? compressed(bytes.written(), compression) : bytes.written();
  written.writeInt32BE(written.length - 12, 8);
  written.writeUInt32BE(crc32c(written.subarray(21)), 17);
  return written;
}

/** The batch with its events compressed, unless that makes it larger. */
function compressed(batch: Buffer, { number, compress }: Compression): Buffer {
  const records = batch.subarray(batchOverhead);
  const squeezed = compress(records);
  if (squeezed.length >= records.length) return batch;
  const made = Buffer.concat([batch.subarray(0, batchOverhead), squeezed]);
  made.writeInt16BE(number, 21);
  return made;
}

export type Crc32c = (bytes: Buffer) => number;

function varintBytes(value: number): number {
  let [count, left] = [1, value << 1];
  for (; left > 0x7f; left >>>= 7) count++;
  return count;
}

/** Where an event of a batch stands, not decoded yet. */
export interface Found {
  readonly position: number;
  readonly appendedAtMs: number;
  /** Key, value and headers; undefined where nothing is: see `Gap`. */
  readonly body: Buffer | undefined;
  /** Whether the checksum of its batch is right. Dear, so asked for where nothing else tells. */
  readonly sound: () => boolean;
  /** How many positions there is nothing at, from this one on; 1 for an event. */
  readonly count: number;
  /** A batch that cannot be taken apart. */
  readonly broken?: true;
}

/** What a fetch answers for a partition. */
export interface Fetched {
  readonly records: Buffer;
  /** Who has given up what they have written, from which offset on. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
}

/** What the decoder borrows from the client. */
export interface Codec {
  readonly crc32c: Crc32c;
  /** Throws for a compression that is not known. */
  decompress(kind: number, bytes: Buffer): Buffer;
}

const always = (): boolean => true;

/**
 * Takes what was fetched apart, from a position on: each position once and in order. What somebody's transaction has left
 * (its marks, and what it has given up) and what compaction has removed are positions without an event.
 */
export function foundIn({ records, aborted }: Fetched, position: number, codec: Codec): Found[] {
  const found: Found[] = [];
  let next = position;
  const gap = (until: number, appendedAtMs: number): void => {
    if (until > next) found.push({ position: next, appendedAtMs, body: undefined, sound: always, count: until - next });
    next = Math.max(next, until);
  };
  const given = new GivenUp(aborted);
  for (const batch of batchesOf(records)) {
    const { last, maxTimeMs } = batch;
    const isLeftOut = given.leavesOut(batch);
    if (last < next) continue;
    try {
      // Nothing but its checksum tells that a batch which leaves positions out does so rightly.
      if ((isLeftOut || !isDense(batch)) && !soundness(batch, codec)()) throw new RangeError("the batch is damaged");
      for (const each of isLeftOut ? [] : eventsOf(batch, codec)) {
        if (each.position < next) continue;
        gap(each.position, each.appendedAtMs);
        found.push(each);
        next = each.position + 1;
      }
    } catch (error) {
      if (!(error instanceof RangeError) && soundness(batch, codec)()) throw error;
      found.push(brokenAt(next, maxTimeMs));
      return found;
    }
    gap(last + 1, maxTimeMs);
  }
  // A leader gives the first batch whole: one that is not says a wrong length.
  if (found.length === 0 && records.length > 0) found.push(brokenAt(next, 0));
  return found;
}

const brokenAt = (position: number, appendedAtMs: number): Found => ({
  position, appendedAtMs, body: undefined, sound: () => false, count: 1, broken: true,
}); // prettier-ignore

/** Whether a batch has an event at each of its positions, as all have that no transaction or compaction has to do with. */
const isDense = ({ base, last, count, attributes }: Batch): boolean =>
  count === last - base + 1 && (attributes & 0x30) === 0;

/** What aborted transactions have written: from the first offset of each to the mark of its end. */
class GivenUp {
  readonly #pending: { readonly producerId: bigint; readonly firstOffset: number }[];
  readonly #open = new Set<bigint>();

  constructor(aborted: Fetched["aborted"]) {
    this.#pending = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether nothing of the batch is an event. To be asked once for each, in order. */
  leavesOut({ attributes, last, producerId }: Batch): boolean {
    while (this.#pending.length > 0 && (this.#pending[0]?.firstOffset ?? 0) <= last)
      this.#open.add(this.#pending.shift()?.producerId ?? -1n);
    const isMark = (attributes & 0x20) !== 0;
    if (isMark) this.#open.delete(producerId);
    return isMark || ((attributes & 0x10) !== 0 && this.#open.has(producerId));
  }
}

interface Batch {
  readonly base: number;
  readonly last: number;
  readonly crc: number;
  readonly attributes: number;
  readonly firstTimeMs: number;
  readonly maxTimeMs: number;
  readonly producerId: bigint;
  readonly count: number;
  /** All that its checksum covers. */
  readonly covered: Buffer;
  readonly records: Buffer;
}

/** The whole batches: brokers cut off the last one where the answer is full. */
function* batchesOf(records: Buffer): Generator<Batch> {
  for (let at = 0; at + batchOverhead <= records.length;) {
    const length = records.readInt32BE(at + 8);
    const end = at + 12 + length;
    if (length < batchOverhead - 12 || end > records.length) return;
    const scan = new Scan(records, at, end);
    const base = scan.long();
    scan.raw(9);
    const crc = scan.uint32();
    const covered = records.subarray(scan.at, end);
    const attributes = scan.int16();
    const last = base + scan.int32();
    const firstTimeMs = scan.long();
    const maxTimeMs = scan.long();
    const producerId = scan.int64();
    scan.raw(6);
    const count = scan.int32();
    yield { base, last, crc, attributes, firstTimeMs, maxTimeMs, producerId, count, covered, records: records.subarray(scan.at, end) }; // prettier-ignore
    at = end;
  }
}

function* eventsOf(batch: Batch, codec: Codec): Generator<Found> {
  const { attributes, base, count, firstTimeMs, maxTimeMs } = batch;
  const compression = attributes & 0x07;
  const scan = new Scan(compression === 0 ? batch.records : codec.decompress(compression, batch.records));
  const sound = soundness(batch, codec);
  const dense = isDense(batch);
  for (let index = 0; index < count; index++) {
    const length = scan.varint();
    const end = scan.at + length;
    const record = new Scan(scan.raw(length));
    record.int8();
    const timeMs = firstTimeMs + record.varlong();
    const place = record.varint();
    if (place >= batch.last - base + 1 || (dense && place !== index)) throw new RangeError("an event stands elsewhere");
    const position = base + place;
    // Bit 3: the broker has written one time for all.
    const appendedAtMs = (attributes & 0x08) !== 0 ? maxTimeMs : timeMs;
    yield { position, appendedAtMs, body: record.raw(record.left), sound, count: 1 };
    scan.at = end;
  }
}

function soundness({ covered, crc }: Batch, { crc32c }: Codec): () => boolean {
  let known: boolean | undefined;
  return () => (known ??= crc32c(covered) === crc);
}
