import type { Counts, PositionDocument } from "../records.ts";

/** No events yet. */
export const noCounts: Counts = Object.freeze({
  handled: 0,
  filtered: 0,
  expired: 0,
  discarded: 0,
  skipped: 0,
  held: 0,
  unknown: 0,
});

/** Adds changes to counts. */
export function addCounts(counts: Counts, changes: Partial<Counts>): Counts {
  const sum: Record<string, number> = { ...counts };
  for (const name in changes) sum[name] = (sum[name] ?? 0) + (changes[name as keyof Counts] as number);
  return sum as unknown as Counts;
}

/** The settled part of a partition: everything below `low`, and single positions above it. */
export interface Progress {
  /** The lowest position that is not settled. */
  low(): number;
  /** Where fetching goes on. */
  readonly next: number;
  /** Notes that the event at `position` was fetched; positions come in order. False when it was settled in an earlier life. */
  fetched(position: number): boolean;
  /** Notes how far fetching has come, when positions were passed that hold no event. */
  reached(next: number): void;
  settle(position: number): void;
  /** Takes settling back, when the commit that should have carried it failed. */
  unsettle(positions: readonly number[]): void;
  /** Lets go of what a commit has carried; until then settling can be taken back. */
  forget(): void;
  /** How many positions above `low` are settled. */
  gaps(): number;
  /** Settled ranges above `low`. */
  finished(): readonly (readonly [number, number])[];
}

/** Takes up a partition where its position document left it. */
export function resumeProgress(document: Pick<PositionDocument, "low" | "finished">): Progress {
  /** Positions that were fetched, in order; those before `head` are settled. */
  let outstanding: number[] = [];
  let head = 0;
  let next = document.low;
  /** Settled positions behind `head`. */
  const done = new Set<number>();
  const earlier = [...document.finished];

  const advance = (): void => {
    while (head < outstanding.length && done.delete(outstanding[head] as number)) head++;
  };

  return {
    get next() {
      return next;
    },
    low: () => (head < outstanding.length ? (outstanding[head] as number) : next),
    reached(position) {
      if (position > next) next = position;
    },
    fetched(position) {
      outstanding.push(position);
      if (position >= next) next = position + 1;
      while (earlier.length > 0 && (earlier[0] as readonly [number, number])[1] < position) earlier.shift();
      const range = earlier[0];
      if (!range || position < range[0]) return true;
      done.add(position);
      if (outstanding[head] === position) advance();
      return false;
    },
    settle(position) {
      if (outstanding[head] === position) {
        head++;
        if (done.size > 0) advance();
      } else done.add(position);
    },
    unsettle(positions) {
      const back = new Set(positions);
      for (const position of back) done.delete(position);
      const first = outstanding.findIndex((position) => back.has(position));
      if (first === -1 || first >= head) return;
      for (let i = first; i < head; i++) if (!back.has(outstanding[i] as number)) done.add(outstanding[i] as number);
      head = first;
    },
    forget() {
      if (head < 4096 || head * 2 < outstanding.length) return;
      outstanding = outstanding.slice(head);
      head = 0;
    },
    gaps: () =>
      done.size + earlier.reduce((sum, [from, to]) => sum + (to >= next ? to - Math.max(from, next) + 1 : 0), 0),
    finished() {
      const ranges: [number, number][] = [];
      const add = (from: number, to: number): void => {
        const last = ranges[ranges.length - 1];
        if (last && last[1] + 1 >= from) last[1] = Math.max(last[1], to);
        else ranges.push([from, to]);
      };
      if (done.size > 0) for (const position of [...done].sort((a, b) => a - b)) add(position, position);
      for (const [from, to] of earlier) if (to >= next) add(Math.max(from, next), to);
      return ranges;
    },
  };
}
