import { all, capability, port } from "../needs.ts";
import type { Suite } from "../suite.ts";
import { atomicCases } from "./atomic.ts";
import { conflictCases } from "./conflicts.ts";
import { fenceCases } from "./fences.ts";
import { raceCases } from "./races.ts";
import { sqlCases } from "./sql.ts";

/** Everything that commits together. */
export const transactSuite: Suite = {
  port: "transact",
  needs: all(capability("transactions"), port("state"), port("timers"), port("transact")),
  cases: [...atomicCases, ...conflictCases, ...fenceCases, ...raceCases, ...sqlCases],
};
