// Which images of a recording are tried.
import { dice } from "../../examples/shop/random.ts";
import { Disk, type Moment } from "./disk.ts";
import { extremes, type ImageKind, imageKinds, randomKinds } from "./image.ts";
import type { Step } from "./step.ts";

/** An image of a recording. */
export interface Spec {
  /** Everything that stands before this place in the trace has happened. */
  readonly cut: number;
  readonly kind: ImageKind;
  /** Tells images of one cut and kind apart. */
  readonly number: number;
}

export const nameOf = ({ cut, kind, number }: Spec): string => `${cut}.${kind}.${number}`;

/** Reads what `nameOf` wrote; undefined when it is none. */
export function specOf(name: string): Spec | undefined {
  const [, cut, kind, number] = /^(\d+)\.([a-z0-9-]+)\.(\d+)$/.exec(name) ?? [];
  const known = imageKinds.find((each) => each === kind);
  return known && { cut: Number(cut), kind: known, number: Number(number) };
}

export interface Plan {
  /** In the order of their cuts. */
  readonly specs: readonly Spec[];
  /** How many moments just before and after the end of a sync there are, and how many the plan has with both extremes. */
  readonly boundaries: number;
  readonly boundariesCovered: number;
}

/** Moments of a recording, each with the number of changes that a power cut may undo there. */
export interface Moments {
  readonly boundaries: readonly number[];
  /** Where there is anything to undo. */
  readonly undecided: readonly number[];
  readonly isUndecided: (cut: number) => boolean;
}

/** Where the power may be cut: behind each beginning and each end of a step, all moments between are the same. */
export function momentsOf(steps: readonly Step[]): Moments {
  const ends = (step: Step): number[] => (Number.isFinite(step.ended) ? [step.ended, step.ended + 1] : []);
  const boundaries = steps.filter(({ call }) => call.kind.startsWith("sync")).flatMap(ends);
  const cuts = new Set([...boundaries, ...steps.flatMap((step) => [step.begun + 1, ...ends(step).slice(1)])]);
  const disk = new Disk(steps);
  const undecided = [...cuts].toSorted((a, b) => a - b).filter((cut) => isUndecided(disk.at(cut)));
  const known = new Set(undecided);
  return { boundaries: [...new Set(boundaries)], undecided, isUndecided: (cut) => known.has(cut) };
}

function isUndecided({ names }: Moment): boolean {
  for (const versions of names.values())
    if (versions.length > 1 || versions.some((file) => file !== undefined && file.changes.length > 0)) return true;
  return false;
}

/**
 * The extremes on both sides of the end of each sync, as many as there may be; the rest at random. Where there are not
 * enough for all syncs those that are left out are spread evenly. Where nothing can be undone, both extremes are one.
 */
export function planOf(moments: Moments, images: number, seed: number): Plan {
  const covered = spread(moments.boundaries, Math.floor(images / extremes.length));
  const specs: Spec[] = covered.flatMap((cut) =>
    extremes.filter((kind) => kind === "none" || moments.isUndecided(cut)).map((kind) => ({ cut, kind, number: 0 })),
  );
  specs.push(...moreOf(moments, images - specs.length, 1, seed));
  const { length } = moments.boundaries;
  return { specs: specs.toSorted(byCut), boundaries: length, boundariesCovered: covered.length };
}

/** So many images at random, in the order of their cuts; `first` is the number that no other round has used. */
export function moreOf(moments: Moments, count: number, first: number, seed: number): Spec[] {
  const chance = dice(`${seed}/plan/${first}`);
  if (moments.undecided.length === 0) return [];
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    cut: chance.pick(moments.undecided),
    kind: chance.pick(randomKinds),
    number: first + index,
  })).toSorted(byCut);
}

const byCut = (a: Spec, b: Spec): number => a.cut - b.cut;

function spread<Value>(values: readonly Value[], most: number): Value[] {
  if (values.length <= most) return values.slice();
  return Array.from({ length: most }, (_, index) => values[Math.floor((index * values.length) / most)] as Value);
}
