import { Dice } from "./dice.ts";
import type { FaultKind } from "./fault-kinds.ts";
import type { Swarm } from "./swarm.ts";

/** One thing that is going to go wrong. All of it is drawn before anything runs, so that a list of them can be cut short. */
export interface PlannedFault {
  /** Its place in the whole plan of the seed. */
  readonly index: number;
  readonly kind: FaultKind;
  readonly atMs: number;
  /** Which node, for kinds that are about one. */
  readonly node: number;
  /** How long it lasts, for kinds that last. */
  readonly forMs: number;
  /** Share of the calls that it meets, for kinds that are about calls. */
  readonly rate: number;
  /** A number for whatever else it has to decide. */
  readonly chance: number;
}

/** Kinds that stay rare, because one of them changes a whole run. */
const rare: readonly FaultKind[] = ["redeploy", "crash-loop", "seek", "clock-drift", "store-jump", "disk-full"];

/** The faults of a seed, by time. */
export function drawFaults(seed: number, swarm: Swarm): readonly PlannedFault[] {
  const faults: PlannedFault[] = [];
  for (const kind of swarm.kinds) {
    const dice = new Dice(seed, `fault ${kind}`);
    const count = rare.includes(kind) ? 1 : dice.whole(1, 3 * swarm.intensity);
    for (let i = 0; i < count; i++) faults.push(drawFault(kind, faults.length, dice, swarm));
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawFault(kind: FaultKind, index: number, dice: Dice, { nodes, safetyMs }: Swarm): PlannedFault {
  const long = kind === "pause" && dice.chance(0.2);
  return {
    index,
    kind,
    atMs: dice.between(0, safetyMs),
    node: dice.whole(0, nodes - 1),
    // Up to ten minutes for one that stands still; what fails for longer than a while only delays everything.
    forMs: long ? dice.spread(1000, 600_000) : dice.spread(1, safetyMs / 2),
    rate: dice.one([0.05, 0.2, 0.5, 1]),
    chance: dice.random.uint32(),
  };
}
