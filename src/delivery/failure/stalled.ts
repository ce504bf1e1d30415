import { TidingsError } from "../../errors/tidings-error.ts";
import type { StoredRecord } from "../../event/record.ts";

/** The error of an event that is given up because the process died under it too often. */
export function stalledError(record: StoredRecord, subscription: string, stalls: number): TidingsError {
  return new TidingsError(
    "TIDINGS_STALLED",
    `The process died ${stalls} times while "${record.type}" ran alone in "${subscription}".`,
    { details: { subscription, type: record.type, event: record.id, stalls } },
  );
}
