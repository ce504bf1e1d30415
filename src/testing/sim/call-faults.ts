import { TidingsError } from "../../errors/tidings-error.ts";
import { type MemoryCall, type MemoryFault, outcomeUnknown } from "../../engines/memory/faults.ts";
import type { Dice } from "./dice.ts";
import type { FaultKind } from "./fault-kinds.ts";

/** Kinds that are about calls to the engine. */
export type CallFaultKind = Extract<
  FaultKind,
  "write-fails" | "write-unknown" | "slow" | "late-answer" | "disk-full" | "lease-fails" | "read-fails"
>;

/** A time in which calls fail. */
export interface CallWindow {
  readonly kind: CallFaultKind;
  readonly untilMs: number;
  readonly rate: number;
  /** Only calls of this node; of all, when undefined. */
  readonly node: number | undefined;
}

const isWrite = ({ kind }: MemoryCall): boolean => kind === "publish" || kind === "transact";

/** By kind: what goes wrong with a call, if that kind is about it. */
const faults: Record<CallFaultKind, (call: MemoryCall, dice: Dice) => MemoryFault | undefined> = {
  "write-fails": (call) => (isWrite(call) ? { fail: "before" } : undefined),
  "write-unknown": (call, dice) => {
    if (!isWrite(call)) return undefined;
    return dice.chance(0.6) ? { fail: "after" } : { fail: "before", error: outcomeUnknown() };
  },
  slow: (_call, dice) => ({ delayMs: dice.spread(1, 3000) }),
  "late-answer": (_call, dice) => ({ answerDelayMs: dice.spread(1, 3000) }),
  "disk-full": (call) => (isWrite(call) ? { fail: "before", error: diskFull() } : undefined),
  "lease-fails": (call, dice) => (call.kind === "lease" ? { fail: dice.chance(0.5) ? "before" : "after" } : undefined),
  "read-fails": (call) => (call.kind === "read" ? { fail: "before" } : undefined),
};

const diskFull = (): TidingsError => new TidingsError("TIDINGS_DISK_FULL", "The simulated disk is full.");

/** What goes wrong with a call in one of the windows that are open, and of which kind that is. */
export function faultOfCall(
  windows: readonly CallWindow[],
  call: MemoryCall,
  node: number,
  nowMs: number,
  dice: Dice,
): { readonly kind: CallFaultKind; readonly fault: MemoryFault } | undefined {
  for (const { kind, untilMs, rate, node: only } of windows) {
    if (nowMs >= untilMs || (only !== undefined && only !== node)) continue;
    const fault = faults[kind](call, dice);
    if (fault && dice.chance(kind === "disk-full" ? 1 : rate)) return { kind, fault };
  }
  return undefined;
}
