import { all, port } from "../needs.ts";
import type { Suite } from "../suite.ts";
import { dueCases } from "./due.ts";
import { setCases } from "./set.ts";

/** Durable timers. */
export const timersSuite: Suite = {
  port: "timers",
  needs: all(port("timers"), port("transact")),
  cases: [...setCases, ...dueCases],
};
