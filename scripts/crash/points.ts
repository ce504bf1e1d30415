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

/** Which points were hit, and which of them is next. */
export class KillPoints {
  readonly #hits = new Map<KillPointName, number>();
  readonly #aims = new Map<KillPointName, number>();

  constructor(points: readonly KillPointName[]) {
    for (const point of points) this.#hits.set(point, 0);
  }

  /** The point among these that was hit least; what is aimed at in vain counts a third, so that it does not hold up the others. */
  next(points: readonly KillPointName[], among: (points: readonly KillPointName[]) => KillPointName): KillPointName {
    const tried = (point: KillPointName): number => (this.#hits.get(point) ?? 0) * 2 + (this.#aims.get(point) ?? 0);
    const least = Math.min(...points.map(tried));
    const point = among(points.filter((each) => tried(each) === least));
    this.#aims.set(point, (this.#aims.get(point) ?? 0) + 1);
    return point;
  }

  hit(point: KillPointName): void {
    this.#hits.set(point, (this.#hits.get(point) ?? 0) + 1);
  }

  hits(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#hits].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}
