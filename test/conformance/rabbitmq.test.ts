import test from "node:test";

import { openRabbitmq } from "../../scripts/conformance/engines.ts";
import { runSuites } from "../../src/conformance/index.ts";
import { withoutRabbitmq } from "../engines/rabbitmq/support.ts";

if (withoutRabbitmq) test("the suites on RabbitMQ", { skip: withoutRabbitmq }, () => undefined);
else runSuites({ test, open: openRabbitmq });
