// Where a process dies. What they mean stands in docs/reliability/crash.md; `hook.ts` finds them.

/** A commit of something: just before it, and when it is on disk and nobody has learnt of it. */
const commits = <Name extends string>(...names: Name[]): `${Name}.${"before" | "after"}-commit`[] =>
  names.flatMap((name) => [`${name}.before-commit`, `${name}.after-commit`] as const);

/** Every process comes here. */
const always = [
  "open.before",
  "open.recovered",
  "group.before-begin",
  "group.after-begin",
  "append.before",
  "append.after",
  ...commits("group"),
] as const;

const handling = [
  "handler.before",
  "handler.after",
  "handler.uncommitted",
  ...commits("claim", "solo", "position", "lease-take", "lease-release"),
] as const;

const housekeeping = [
  "checkpoint.before",
  "checkpoint.after",
  "wal-restart.before",
  "wal-restart.after",
  "wal-truncate.before",
  "wal-truncate.after",
  ...commits("retention", "inbox"),
] as const;

/** Of a file that is made. */
const birth = ["open.before", "open.recovered", ...commits("migrate", "register", "group")] as const;

const failing = commits("hold", "drain", "park", "resolve", "redrive", "discard", "answer", "pause-key");
const operating = commits("intent", "pause", "redrive", "discard");

/** The points of each kind of program. */
export const killPoints = { always, handling, housekeeping, birth, failing, operating };

export type KillPointName = (typeof killPoints)[keyof typeof killPoints][number];

/** How often a process passes such a point, at most, before it dies there: those that come often are hit late as well. */
export function countMax(point: KillPointName): number {
  if (/^(handler|append)\./.test(point)) return 30;
  if (/^(group|position)\./.test(point)) return 12;
  if (/^(claim|inbox)\./.test(point)) return 4;
  if (/^(open|migrate|register|lease|solo|wal)/.test(point)) return 1;
  return 2;
}

/** So often each point is hit before others are hit more often. */
export const hitsWanted = 2;

/** Which points were hit, and which of them is next. */
export class KillPoints {
  readonly #hits = new Map<KillPointName, number>();
  readonly #aims = new Map<KillPointName, number>();
  readonly #before: KillPoints | undefined;

  /** `before`: what was hit in other scenarios of the same run counts for what is next, and not in `hits`. */
  constructor(points: readonly KillPointName[], before?: KillPoints) {
    for (const point of points) this.#hits.set(point, 0);
    this.#before = before;
  }

  /**
   * Of the points that were hit less than twice, else of all, the one that was tried least: what is aimed at in vain counts
   * a third, so that it does not hold up the others.
   */
  next(points: readonly KillPointName[], among: (points: readonly KillPointName[]) => KillPointName): KillPointName {
    const tried = (point: KillPointName): number => this.#hitsOf(point) * 2 + this.#aimsAt(point);
    const scarce = points.filter((point) => this.#hitsOf(point) < hitsWanted);
    const candidates = scarce.length > 0 ? scarce : points;
    const least = Math.min(...candidates.map(tried));
    const point = among(candidates.filter((each) => tried(each) === least));
    this.#aims.set(point, (this.#aims.get(point) ?? 0) + 1);
    return point;
  }

  /** Whether one of these was hit less than twice. */
  anyScarce(points: readonly KillPointName[]): boolean {
    return points.some((point) => this.#hitsOf(point) < hitsWanted);
  }

  /** How often it was aimed at and not hit. */
  inVain(point: KillPointName): number {
    return Math.max(0, this.#aimsAt(point) - this.#hitsOf(point));
  }

  hit(point: KillPointName): void {
    this.#hits.set(point, (this.#hits.get(point) ?? 0) + 1);
  }

  /** Counts what was hit elsewhere, too. */
  add(hits: Readonly<Record<string, number>>): void {
    for (const [point, times] of Object.entries(hits) as [KillPointName, number][])
      this.#hits.set(point, (this.#hits.get(point) ?? 0) + times);
  }

  hits(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#hits].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #hitsOf(point: KillPointName): number {
    return (this.#hits.get(point) ?? 0) + (this.#before?.hits()[point] ?? 0);
  }

  // Aims of other scenarios that hit nothing say little of this one.
  #aimsAt(point: KillPointName): number {
    return (this.#aims.get(point) ?? 0) + (this.#before?.hits()[point] ?? 0);
  }
}

/** The points that were hit least often, and how often. */
export function rarestOf(hits: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const least = Math.min(...Object.values(hits));
  return Object.fromEntries(Object.entries(hits).filter(([, times]) => times === least));
}
