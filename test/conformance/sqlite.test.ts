import test from "node:test";

import { openSqlite } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";

runSuites({ test, open: openSqlite("node:sqlite") });
