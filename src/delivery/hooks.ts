import type { EventRecord, StoredRecord } from "../event/record.ts";
import type { Logger } from "./log.ts";

/** What a tracer is told of a delivery when it begins. */
export interface DeliveryInfo {
  readonly subscription: string;
  readonly record: StoredRecord;
  readonly attempt: number;
}

/** Where tracing attaches. Each hook is optional; what one throws is logged and changes nothing. */
export interface Hooks {
  /** Before an event is appended: may give attributes to add, `traceparent` for example. */
  readonly onPublish?: (topic: string, record: EventRecord) => void;
  /** When a delivery begins; the returned function is called when it ends, with the error if it failed. */
  readonly onDelivery?: (info: DeliveryInfo) => ((error?: unknown) => void) | void;
}

/** What ends the trace of a delivery. */
export type EndHook = ((error?: unknown) => void) | undefined;

/** Where hooks are called and their faults logged. */
interface Hooked {
  readonly name: string;
  readonly hooks: Hooks;
  readonly log: Logger;
}

/** Tells the hooks that a delivery begins. Never throws. */
export function beginHook(
  { name, hooks, log }: Hooked,
  { record, attempt }: Pick<DeliveryInfo, "record" | "attempt">,
): EndHook {
  if (!hooks.onDelivery) return undefined;
  try {
    return hooks.onDelivery({ subscription: name, record, attempt }) ?? undefined;
  } catch (error) {
    log.warn({ subscription: name, err: error }, "the hook onDelivery threw");
    return undefined;
  }
}

/** Tells them that it has ended. Never throws. */
export function endHook({ name, log }: Hooked, end: EndHook, error: unknown): void {
  try {
    end?.(error);
  } catch (thrown) {
    log.warn({ subscription: name, err: thrown }, "the function that onDelivery returned threw");
  }
}
