import { crc32 } from "node:zlib";
import { type ChunkText, type LogPlace, openChunkText, type OpenChunk } from "../sql/chunk.ts";

/** A row of `tidings_chunk`. */
export interface ChunkRow extends ChunkText {
  readonly id: number;
  readonly log: number;
  /** Position of the last event. */
  readonly last: number;
  readonly count: number;
  readonly appended_ms: number;
  readonly checksum: number;
}

/** Covers where the events stand and when they came, so that a row in the wrong place is found, too. */
export function chunkChecksum({
  log,
  last,
  count,
  appended_ms,
  header,
  body,
}: Omit<ChunkRow, "id" | "checksum">): number {
  return crc32(body, crc32(header, crc32(`${log}:${last}:${count}:${appended_ms}`)));
}

/** Verifies a row; undefined when it does not match its checksum: a damaged record is never served. */
export function openChunk(row: ChunkRow, place: LogPlace): OpenChunk | undefined {
  // A damaged type makes a text a blob of the same bytes.
  if (typeof row.header !== "string" || typeof row.body !== "string" || chunkChecksum(row) !== row.checksum)
    return undefined;
  return openChunkText(row, { last: row.last, count: row.count, appendedAtMs: row.appended_ms }, place);
}
