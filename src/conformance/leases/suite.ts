import { port } from "../needs.ts";
import type { Suite } from "../suite.ts";
import { acquireCases } from "./acquire.ts";
import { keepCases } from "./keep.ts";

/** One owner at a time, with a fencing token. */
export const leasesSuite: Suite = { port: "leases", needs: port("leases"), cases: [...acquireCases, ...keepCases] };
