/**
 * The test kit: an application in memory, on a clock that stands still until a test moves it.
 *
 * @module
 */
export { type TestAppOptions, testApp } from "./test-app.ts";
export type { Expected, Given, TestKit } from "./kit.ts";
export type { CrashOptions, CrashPoint } from "./crash-points.ts";
export type { Duration } from "./duration.ts";
export type { ExpectedDeadLetter } from "./expectations.ts";
export type { Failing, FailOptions } from "./faults.ts";
export type { Recorded } from "./recording.ts";
export type { FaultHook, MemoryCall, MemoryFault } from "../engines/memory/faults.ts";
