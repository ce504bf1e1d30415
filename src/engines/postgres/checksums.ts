import { crc32 } from "node:zlib";
/** The texts of a chunk, or their bytes in UTF-8. */
interface ChunkContent {
  readonly header: string | Buffer;
  readonly body: string | Buffer;
}

/**
 * Checksums are made in two parts: that of the content here, before the row has a place, and that of the place in the
 * statement that gives it one. The stored checksum is one XOR the other; see `placement` in schema/tables.ts.
 */
export const contentOfChunk = ({ header, body }: ChunkContent): number => crc32(body, crc32(header));

export const contentOfDocument = (collection: string, key: string, value: string): number =>
  crc32(value, crc32(`${collection}\n${key}\n`));

/** Covers all but the version, which is given by the insert. */
export const checksumOfTimer = (queue: string, key: string, dueAtMs: number, payload: string): number =>
  crc32(payload, crc32(`${queue}\n${key}\n${dueAtMs}\n`));

/** What the statement adds for the place of a chunk. */
export function placeOfChunk(log: number, last: number, count: number, appendedMs: number): number {
  return (log * 40_503 + (last % 1_000_000_007) * 97 + count * 31 + appendedMs) % 4_294_967_296;
}

/** What the statement adds for the version of a document. */
export const placeOfDocument = (version: number): number => ((version % 1_000_000_007) * 40_503) % 4_294_967_296;

/** The bitwise exclusive or of two unsigned numbers of 32 bits. */
export const xor = (one: number, other: number): number => (one ^ other) >>> 0;
