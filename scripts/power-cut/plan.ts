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

/** Moments of a recording. */
export interface Moments {
  /** Just before and just after the end of each sync. */
  readonly boundaries: readonly number[];
  /** Just before the end of those syncs before which somebody was told something while not everything was synced. */
  readonly telling: readonly number[];
  /** Where there is anything that a power cut may undo. */
  readonly undecided: readonly number[];
  readonly isUndecided: (cut: number) => boolean;
}

/** Where the power may be cut: behind each beginning and each end of a step, all moments between are the same. */
export function momentsOf(steps: readonly Step[]): Moments {
  const ends = (step: Step): number[] => (Number.isFinite(step.ended) ? [step.ended, step.ended + 1] : []);
  const syncs = steps.filter(({ call, ended }) => call.kind.startsWith("sync") && Number.isFinite(ended));
  const boundaries = syncs.flatMap(ends);
  const cuts = new Set([...boundaries, ...steps.flatMap((step) => [step.begun + 1, ...ends(step).slice(1)])]);
  const disk = new Disk(steps);
  const undecided = [...cuts].toSorted((a, b) => a - b).filter((cut) => isUndecided(disk.at(cut)));
  const known = new Set(undecided);
  const told = steps.filter(({ call, begun }) => call.kind === "mark" && known.has(begun + 1));
  return {
    boundaries: [...new Set(boundaries)],
    telling: endsBehind(syncs, told),
    undecided,
    isUndecided: (cut) => known.has(cut),
  };
}

/** Of each mark, the end of the first sync that ends behind it. */
function endsBehind(syncs: readonly Step[], marks: readonly Step[]): number[] {
  const ends = syncs.map(({ ended }) => ended).toSorted((a, b) => a - b);
  const found = new Set<number>();
  let next = 0;
  for (const { begun } of marks) {
    while (next < ends.length && (ends[next] as number) < begun) next++;
    const end = ends[next];
    if (end !== undefined) found.add(end);
  }
  return [...found];
}

function isUndecided({ names }: Moment): boolean {
  for (const versions of names.values())
    if (versions.length > 1 || versions.some((file) => file !== undefined && file.changes.length > 0)) return true;
  return false;
}

/**
 * The extremes on both sides of the end of each sync, where there are images enough for all of them; the rest at random.
 * Where there are too few, half of them lose everything just before a sync that something told may have needed, and
 * what is left out is spread evenly. Where nothing can be undone, both extremes are one.
 */
export function planOf(moments: Moments, images: number, seed: number): Plan {
  const { boundaries, telling, isUndecided } = moments;
  const specs = new Map<string, Spec>();
  const add = (cut: number, kind: ImageKind): void => {
    const spec = { cut, kind, number: 0 };
    if (kind !== "all" || isUndecided(cut)) specs.set(nameOf(spec), spec);
  };
  const all = boundaries.length * extremes.length <= images;
  if (!all) for (const cut of spread(telling, Math.ceil(images / 2))) add(cut, "none");
  const covered = all ? boundaries : spread(boundaries, Math.floor((images - specs.size) / 2 / extremes.length));
  for (const cut of covered) for (const kind of extremes) add(cut, kind);
  const random = moreOf(moments, images - specs.size, 1, seed);
  return {
    specs: [...specs.values(), ...random].toSorted(byCut),
    boundaries: boundaries.length,
    boundariesCovered: covered.length,
  };
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
