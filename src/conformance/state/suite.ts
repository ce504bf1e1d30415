import { all, port } from "../needs.ts";
import type { Suite } from "../suite.ts";
import { scanCases } from "./scan.ts";
import { valueCases } from "./values.ts";
import { versionCases } from "./versions.ts";

/** Small documents with versions. */
export const stateSuite: Suite = {
  port: "state",
  needs: all(port("state"), port("transact")),
  cases: [...versionCases, ...valueCases, ...scanCases],
};
