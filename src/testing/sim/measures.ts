import type { Counts, PositionDocument } from "../../delivery/records.ts";
import type { StoredRecord } from "../../event/record.ts";

/** How many positions of a partition are settled, since its run began. */
export function settledOf({ start, low, finished }: PositionDocument): number {
  return finished.reduce((sum, [from, to]) => sum + to - from + 1, low - start);
}

/** All counts together. */
export function sumOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count: number) => sum + count, 0);
}

/** A short text that differs for different data. FNV-1a, and the length. */
export function hashOf(data: StoredRecord["data"]): string {
  if (data === undefined) return "none";
  let hash = 0x811c9dc5;
  for (let i = 0; i < data.length; i++) {
    const unit = typeof data === "string" ? data.charCodeAt(i) : (data[i] as number);
    hash = Math.imul(hash ^ unit, 0x01000193);
  }
  return `${data.length}/${(hash >>> 0).toString(16)}`;
}

/** Whether a kind of fault leaves clocks as they are, so that instants of different nodes compare. */
export function isConstantClockKind(kind: string): boolean {
  return kind !== "clock-jump" && kind !== "clock-drift" && kind !== "store-jump";
}
