import { TidingsError } from "../../errors/tidings-error.ts";
import type { Client } from "./client.ts";

/** How batches are compressed. */
export type CompressionName = "none" | "gzip" | "snappy" | "lz4" | "zstd";

export const compressionNames: readonly CompressionName[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** A batch that is compressed is made of no more than so many bytes, since that takes the event loop some milliseconds. */
export const compressedBytesMax = 256 * 1024;

/** What a batch is compressed by. */
export interface Compression {
  /** Its number in the attributes of a batch. */
  readonly number: number;
  readonly compress: (records: Buffer) => Buffer;
}

/** The compression of that name; undefined for none. Throws TIDINGS_UNSUPPORTED for one that this Node.js has not. */
export function compressionOf(client: Client, name: CompressionName): Compression | undefined {
  if (name === "none") return undefined;
  const { bitmask, compressSync, available = true } = client.compressionsAlgorithms[name] as Algorithm;
  if (!available)
    throw new TidingsError(
      "TIDINGS_UNSUPPORTED",
      `This Node.js (${process.version}) has no ${name}: Node.js 22.15 and newer have. Use another compression of Kafka.`,
      { details: { engine: "kafka", option: "compression" } },
    );
  return { number: bitmask, compress: compressSync };
}

interface Algorithm {
  readonly bitmask: number;
  readonly available?: boolean;
  compressSync(this: void, bytes: Buffer): Buffer;
}
