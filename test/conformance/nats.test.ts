import test from "node:test";

import { openNats } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";
import { withoutNats } from "../engines/nats/support.ts";

if (withoutNats) test("the suites on NATS", { skip: withoutNats }, () => undefined);
else runSuites({ test, open: openNats });
