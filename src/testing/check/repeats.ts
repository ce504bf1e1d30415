import type { StoredRecord } from "../../event/record.ts";
import { stampOf } from "../../event/relay-stamp.ts";

/**
 * Tells what a relay has sent once more from events: it stands in its topic again, and is no event of its own. Written apart from
 * what consumers do, so that both are not wrong in the same way.
 */
export class Repeats {
  /** By topic, partition and stream: what was sent. */
  readonly #sent = new Map<string, number>();

  /** Whether the event was there before. To be asked once for each event of a partition, in order of position. */
  isRepeat(record: Pick<StoredRecord, "topic" | "partition" | "attributes">): boolean {
    const stamp = stampOf(record);
    if (stamp === undefined) return false;
    const stream = `${record.topic}/${record.partition}/${stamp.stream}`;
    if (stamp.sequence <= (this.#sent.get(stream) ?? -1)) return true;
    this.#sent.set(stream, stamp.sequence);
    return false;
  }
}
