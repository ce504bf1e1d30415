import test from "node:test";

import { openKafka } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";
import { withoutKafka } from "../engines/kafka/support.ts";

if (withoutKafka) test("the suites on Kafka", { skip: withoutKafka }, () => undefined);
else runSuites({ test, open: openKafka });
