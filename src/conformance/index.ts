export { type MovablePlatform, movablePlatform } from "./clock.ts";
export {
  type CaseResult,
  type ConformanceReport,
  type Open,
  runConformance,
  type RunOptions,
  runSuites,
  type Skips,
  type Test,
  titleOf,
} from "./run.ts";
export type { Case, Env, Needs, Offer, Opened, Suite } from "./suite.ts";
export { suites } from "./suites.ts";
