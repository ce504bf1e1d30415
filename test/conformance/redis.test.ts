import test from "node:test";

import { openRedis } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";
import { withoutRedis } from "../engines/redis/support.ts";

if (withoutRedis) test("the suites on Redis", { skip: withoutRedis }, () => undefined);
else runSuites({ test, open: openRedis });
