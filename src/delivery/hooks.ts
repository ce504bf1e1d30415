import type { EventRecord, StoredRecord } from "../event/record.ts";

/** What a tracer is told of a delivery when it begins. */
export interface DeliveryInfo {
  readonly subscription: string;
  readonly record: StoredRecord;
  readonly attempt: number;
}

/** Where tracing attaches. Each hook is optional and must not throw. */
export interface Hooks {
  /** Before an event is appended: may give attributes to add, `traceparent` for example. */
  readonly onPublish?: (topic: string, record: EventRecord) => void;
  /** When a delivery begins; the returned function is called when it ends, with the error if it failed. */
  readonly onDelivery?: (info: DeliveryInfo) => ((error?: unknown) => void) | void;
}
