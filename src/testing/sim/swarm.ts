import { Dice } from "./dice.ts";
import { type FaultKind, isFirstKind } from "./fault-kinds.ts";

/** What a seed decides before anything runs. */
export interface Swarm {
  readonly nodes: number;
  readonly partitions: number;
  /** For services that take it. */
  readonly concurrency: number;
  readonly prefetchEvents: number;
  readonly memberTtlMs: number;
  readonly drainTimeoutMs: number;
  /** Whether a node keeps its member id over restarts. */
  readonly staticMembers: boolean;
  /** Longest time that a call to the engine takes when nothing is wrong, in milliseconds. */
  readonly hopMs: number;
  /** How long anything may fail. */
  readonly safetyMs: number;
  /** How many inputs the workload should have. */
  readonly events: number;
  /** Largest payload, in bytes. */
  readonly payloadBytesMax: number;
  /** Whether broker and store are two engines. */
  readonly apart: boolean;
  /** Kinds of faults that happen. */
  readonly kinds: readonly FaultKind[];
  /** How many faults of each kind, about. */
  readonly intensity: number;
}

/** Draws what a seed decides, from the kinds of faults that are allowed; `apart`: in some seeds broker and store are two engines. */
export function drawSwarm(seed: number, allowed: readonly FaultKind[], apart: boolean): Swarm {
  const first = allowed.filter(isFirstKind);
  const swarm = drawFirst(new Dice(seed, "swarm"), first);
  // Who asks for these only gets them in every seed.
  const share = first.length === 0 ? 1 : laterShare;
  const later = allowed.filter((kind) => !isFirstKind(kind) && new Dice(seed, `swarm ${kind}`).chance(share));
  const isApart = apart && new Dice(seed, "swarm apart").chance(apartShare);
  return { ...swarm, apart: isApart, kinds: [...swarm.kinds, ...later] };
}

/** In how many seeds a kind happens that came later. */
const laterShare = 0.25;
/** In how many seeds broker and store are two engines: also something that came later than the first seeds. */
const apartShare = 0.25;

/** As the first seeds were drawn, number by number. */
function drawFirst(dice: Dice, allowed: readonly FaultKind[]): Omit<Swarm, "apart"> {
  const nodes = dice.one([1, 2, 2, 2, 3, 3, 4, 5, 7]);
  const share = dice.one([0.15, 0.3, 0.5, 0.8]);
  const kinds = allowed.filter(() => dice.chance(share));
  return {
    nodes,
    partitions: dice.one([1, 1, 2, 3, 4, 8]),
    concurrency: dice.one([1, 2, 4, 16, 64]),
    prefetchEvents: dice.one([1, 4, 16, 64, 512]),
    memberTtlMs: dice.one([1000, 2000, 5000, 10_000]),
    drainTimeoutMs: dice.one([200, 2000, 30_000]),
    staticMembers: dice.chance(0.5),
    hopMs: dice.one([0.2, 1, 1, 5, 30]),
    safetyMs: dice.one([3000, 8000, 20_000]),
    events: dice.one([10, 30, 60, 100, 160]),
    payloadBytesMax: dice.one([0, 0, 100, 5000]),
    // A seed without any fault at all is a seed for the workload; few are.
    kinds: kinds.length === 0 && !dice.chance(0.1) && allowed.length > 0 ? [dice.one(allowed)] : kinds,
    intensity: dice.one([1, 1, 2, 4]),
  };
}
