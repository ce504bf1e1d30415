import test from "node:test";

import { openPostgres } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";
import { withoutPostgres } from "../engines/postgres/support.ts";

if (withoutPostgres) test("the suites on Postgres", { skip: withoutPostgres }, () => undefined);
else runSuites({ test, open: openPostgres });
