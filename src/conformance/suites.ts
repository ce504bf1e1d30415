import { engineSuite } from "./engine/index.ts";
import { leasesSuite } from "./leases/index.ts";
import { membershipSuite } from "./membership/index.ts";
import { stateSuite } from "./state/index.ts";
import type { Suite } from "./suite.ts";
import { timersSuite } from "./timers/index.ts";
import { topicsSuite } from "./topics/index.ts";
import { transactSuite } from "./transact/index.ts";

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
