import type { StoredRecord } from "../../event/record.ts";
import type { ReadLimits } from "../../ports/topics.ts";
import type { OpenChunk } from "./chunk.ts";

/** What a read has gathered so far. */
export interface Page {
  readonly records: StoredRecord[];
  readonly limits: ReadLimits;
  /** The position to go on at. */
  next: number;
  bytes: number;
  /** No more may be taken. */
  full: boolean;
}

export function pageOf(limits: ReadLimits, next: number): Page {
  return { records: [], limits, next, bytes: 0, full: false };
}

/** Takes the events of a chunk from `page.next` on, as many as the limits allow; one at least. */
export function take(page: Page, chunk: OpenChunk): void {
  const { limits, records } = page;
  for (let index = page.next - chunk.first; page.next <= chunk.last; index++) {
    const bytes = chunk.bytes(index);
    if (records.length > 0 && (records.length >= limits.events || page.bytes + bytes > limits.bytes)) {
      page.full = true;
      return;
    }
    records.push(chunk.record(index));
    page.bytes += bytes;
    page.next++;
  }
  page.full = records.length >= limits.events || page.bytes >= limits.bytes;
}

/** The chunk, if the position stands in it: positions have no gaps, so one that begins later is damage. */
export function holding(chunk: OpenChunk | undefined, position: number): OpenChunk | undefined {
  return chunk && chunk.first <= position && position <= chunk.last ? chunk : undefined;
}
