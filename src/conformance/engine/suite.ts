import type { Suite } from "../suite.ts";
import { closeCases } from "./close.ts";
import { factCases } from "./facts.ts";

/** The engine as a whole. */
export const engineSuite: Suite = { port: "engine", cases: [...factCases, ...closeCases] };
