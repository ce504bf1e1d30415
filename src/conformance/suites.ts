import { engineSuite } from "./engine/suite.ts";
import { leasesSuite } from "./leases/suite.ts";
import { membershipSuite } from "./membership/suite.ts";
import { stateSuite } from "./state/suite.ts";
import type { Suite } from "./suite.ts";
import { timersSuite } from "./timers/suite.ts";
import { topicsSuite } from "./topics/suite.ts";
import { transactSuite } from "./transact/suite.ts";

/** Every suite, in the order in which they are best read. */
export const suites: readonly Suite[] = [
  topicsSuite,
  stateSuite,
  timersSuite,
  leasesSuite,
  transactSuite,
  engineSuite,
  membershipSuite,
];
