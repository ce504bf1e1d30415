/**
 * The test kit: an application in memory, on a clock that stands still until a test moves it.
 *
 * @module
 */
export { type TestAppOptions, testApp } from "./test-app.ts";
export type { Expected, Given, TestKit } from "./kit.ts";
export type { CrashOptions, CrashPoint } from "./crash-points.ts";
export { crashTest } from "./crash/crash-test.ts";
export type {
  CrashPublication,
  CrashReport,
  CrashStart,
  CrashStep,
  CrashTestOptions,
  CrashWorkload,
} from "./crash/options.ts";
export { check, type CheckReport } from "./check/check.ts";
export { countFindings, type Finding, type InvariantId, invariants, type Violation } from "./check/violation.ts";
export { identityOf } from "./check/history.ts";
export type {
  DeadLetterEnd,
  Effect,
  HeldEvent,
  History,
  Ledger,
  LogEntry,
  OwnedWrite,
  PartitionEnd,
  Poison,
  PositionSample,
  Publish,
  ResourcePeak,
  Run,
  SubscriptionEnd,
  TimerFiring,
  Totals as HistoryTotals,
  TracePair,
} from "./check/history.ts";
export { simulate, type FailedSeed, type SimulationReport } from "./sim/simulate.ts";
export type { Expectation, NodeStart, SimulationEnd, SimulationOptions } from "./sim/options.ts";
export type { SimPublication, Workload } from "./sim/workload.ts";
export { type FaultKind, faultKinds } from "./sim/fault-kinds.ts";
export { seedNumber } from "./sim/seeds.ts";
export { checkFaultKinds } from "./sim/fault-kinds.ts";
export type { Dice } from "./sim/dice.ts";
export type { Swarm } from "./sim/swarm.ts";
export type { Duration } from "./duration.ts";
export type { ExpectedDeadLetter } from "./expectations.ts";
export type { Failing, FailOptions } from "./faults.ts";
export type { Recorded } from "./recording.ts";
export type { FaultHook, MemoryCall, MemoryFault } from "../engines/memory/faults.ts";
