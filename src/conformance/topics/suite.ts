import type { Suite } from "../suite.ts";
import { boundedCases } from "./bounded.ts";
import { declareCases } from "./declare.ts";
import { dedupCases } from "./dedup.ts";
import { fieldCases } from "./fields.ts";
import { limitCases } from "./limits.ts";
import { liveCases } from "./live.ts";
import { nameCases } from "./names.ts";
import { orderCases } from "./order.ts";
import { payloadCases } from "./payloads.ts";
import { publishCases } from "./publish.ts";
import { readCases } from "./read.ts";
import { retentionCases } from "./retention.ts";
import { seekCases } from "./seek.ts";
import { shownCases } from "./shown.ts";
import { watchCases } from "./watch.ts";

/** Partitioned, replayable logs. */
export const topicsSuite: Suite = {
  port: "topics",
  cases: [
    ...declareCases,
    ...nameCases,
    ...publishCases,
    ...orderCases,
    ...fieldCases,
    ...payloadCases,
    ...limitCases,
    ...readCases,
    ...seekCases,
    ...liveCases,
    ...retentionCases,
    ...boundedCases,
    ...dedupCases,
    ...watchCases,
    ...shownCases,
  ],
};
