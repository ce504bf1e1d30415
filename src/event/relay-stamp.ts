import type { EventRecord } from "./record.ts";

/** The CloudEvents extension by which a relay numbers what it sends from an outbox to a broker. */
export const stampAttribute = "tidingsrelay";

/**
 * Which of the events of an outbox this is. A relay that does not know whether an event has arrived sends it again, under the
 * same number; whoever reads drops what is not above the last number of the stream.
 */
export interface RelayStamp {
  /** One partition of one outbox. What it sends to one partition of a topic arrives in rising order, but for repeats. */
  readonly stream: string;
  readonly sequence: number;
}

/** The record as a relay sends it. */
export function stamped<Record extends EventRecord>(record: Record, { stream, sequence }: RelayStamp): Record {
  return { ...record, attributes: { ...record.attributes, [stampAttribute]: `${stream}.${sequence}` } };
}

/** The stamp of a record; undefined when no relay has sent it, or when it is none of ours. */
export function stampOf({ attributes }: Pick<EventRecord, "attributes">): RelayStamp | undefined {
  const text = attributes?.[stampAttribute];
  if (text === undefined) return undefined;
  const dot = text.lastIndexOf(".");
  const digits = text.slice(dot + 1);
  if (dot <= 0 || !/^\d{1,15}$/.test(digits)) return undefined;
  return { stream: text.slice(0, dot), sequence: Number(digits) };
}
