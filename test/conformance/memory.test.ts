import test from "node:test";

import { openMemory } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";

runSuites({ test, open: openMemory });
