// What happens in a run, from its seed: how many faults of each kind, in which order, and how long each lasts.
import { dice } from "../../examples/shop/random.ts";
import type { Share } from "./proxy.ts";

export const connectionKinds = ["cut", "reset", "half-open", "slow", "refuse", "cut-in-message"] as const;
export type ConnectionKind = (typeof connectionKinds)[number];

/** One fault. */
export type Fault =
  | { readonly kind: "kill" | "pause" | "outage" | "member-pause"; readonly forMs: number }
  | { readonly kind: "member-kill" }
  | { readonly kind: "own"; readonly name: string }
  | { readonly kind: ConnectionKind; readonly share: Share; readonly forMs: number };

/** How much is done. */
export interface Size {
  readonly events: number;
  readonly kills: number;
  readonly pauses: number;
  readonly pauseMs: number;
  readonly connections: number;
  readonly outages: number;
  readonly outageMs: number;
  readonly memberKills: number;
  readonly memberPauses: number;
  /** Of each of the faults that only this server has. */
  readonly ownEach: number;
  /** How long members and publishers wait for the answer to a request: half of them less than a pause, the others longer. */
  readonly requestTimeoutsMs: readonly [number, number];
  /** How long a member that is silent keeps its partitions, and how long one is stopped. */
  readonly memberTtlMs: number;
  readonly memberPauseMs: number;
  /** What it takes to come back from a fault, about: publishing is spread over the time that the plan lasts. */
  readonly comeBackMs: number;
}

/** The size of a run: 1 is what the promise is about, below 0.5 pauses are short and there is no outage. */
export function sizeOf(scale: number): Size {
  const times = (full: number, least: number): number => Math.max(least, Math.round(full * scale));
  const small = scale < 0.5;
  return {
    events: times(50_000, 500),
    kills: times(10, 2),
    pauses: times(5, 1),
    pauseMs: small ? 3_000 : 10_000,
    connections: times(20, 6),
    outages: small ? 0 : times(1, 1),
    outageMs: 60_000,
    memberKills: times(4, 1),
    memberPauses: times(3, 1),
    ownEach: times(3, 1),
    requestTimeoutsMs: small ? [2_000, 4_000] : [3_000, 12_000],
    memberTtlMs: small ? 3_000 : 5_000,
    memberPauseMs: small ? 4_500 : 8_000,
    comeBackMs: small ? 1_500 : 3_500,
  };
}

/** The faults of a run, in an order by chance, with the outage in the middle. */
export function planOf(size: Size, seed: number, own: readonly string[]): readonly Fault[] {
  const chance = dice(`${seed}/plan`);
  const faults: Fault[] = [];
  const add = (count: number, make: (n: number) => Fault): void => {
    for (let n = 0; n < count; n++) faults.push(make(n));
  };
  add(size.kills, () => ({ kind: "kill", forMs: chance.between(0, 1_500) }));
  add(size.pauses, () => ({ kind: "pause", forMs: size.pauseMs }));
  add(size.memberKills, () => ({ kind: "member-kill" }));
  add(size.memberPauses, () => ({ kind: "member-pause", forMs: size.memberPauseMs }));
  add(size.connections, (n) => ({
    kind: connectionKinds[n % connectionKinds.length] as ConnectionKind,
    share: chance.pick(["one", "some", "all"] as const),
    forMs: chance.between(500, 3_000),
  }));
  for (const name of own) add(size.ownEach, () => ({ kind: "own", name }));
  for (let i = faults.length - 1; i > 0; i--) {
    const j = chance.between(0, i);
    [faults[i], faults[j]] = [faults[j] as Fault, faults[i] as Fault];
  }
  // In the middle, so that there is something before and behind it.
  const middle = Math.floor(faults.length / 2);
  const outages = Array.from({ length: size.outages }, (): Fault => ({ kind: "outage", forMs: size.outageMs }));
  return [...faults.slice(0, middle), ...outages, ...faults.slice(middle)];
}

/** What else a fault takes, about. */
const ownMs = 2_000;

/** About how long a plan takes, with what it takes to come back from each fault. */
export function lastsMs(faults: readonly Fault[], eachMs: number): number {
  return faults.reduce((sum, fault) => sum + eachMs + ("forMs" in fault ? fault.forMs : ownMs), 0);
}
