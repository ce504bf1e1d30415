import { all, capability, port } from "../needs.ts";
import type { Suite } from "../suite.ts";
import { fencingCases } from "./fencing.ts";
import { sharingCases } from "./sharing.ts";

/** Members that share partitions by leases, over the ports of the engine. */
export const membershipSuite: Suite = {
  port: "membership",
  needs: all(port("leases"), port("state"), capability("transactions")),
  cases: [...sharingCases, ...fencingCases],
};
