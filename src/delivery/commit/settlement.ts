import type { Counts } from "../records.ts";
import type { UnitWrites } from "../unit-of-work.ts";

/** Something that a commit of a partition carries: usually a delivery that has ended. */
export interface Settlement {
  /** The position it settles; -1 when it settles none (a held event, say, which was settled when it was held). */
  readonly position: number;
  /** As what the position is counted. */
  readonly as: keyof Counts;
  /** Further changes of the counts. */
  readonly counts: Partial<Counts> | undefined;
  readonly writes: UnitWrites | undefined;
  /** False when losing it to a power cut costs nothing but work. */
  readonly durable: boolean;
  /** It is on disk. */
  committed(): void;
  /** The document `changed` that it had read is another by now; nothing of it took effect. */
  conflicted(changed: string): void;
  /**
   * What it wanted to write was refused, and it alone is to blame. Absent: nothing else can be done about it, so that it is
   * tried again until it is written, and nothing of the partition is committed before, for that may build on it.
   */
  readonly refused?: ((error: unknown) => void) | undefined;
}
