import type { EventRecord } from "../../event/record.ts";
import { stampOf } from "../../event/relay-stamp.ts";

/** The last number of each stream of a relay, by the name of the stream. */
export type RelayedDocument = Readonly<Record<string, number>>;

interface Mark {
  readonly position: number;
  readonly stream: string;
  readonly sequence: number;
}

/**
 * Knows which events of a partition a relay has sent before. A relay sends in rising order and repeats what it is not sure of, so
 * that one number per stream tells repeats from new events, for ever and whoever sent them. The numbers stand in the position
 * document as of its low position: from there on all is fetched again, and found the same.
 */
export class RelayMarks {
  /** As of the low position of the last commit. */
  #committed: Readonly<Record<string, number>>;
  /** Of what stands at and above it, in order of position. */
  #open: Mark[] = [];
  readonly #last: Map<string, number>;

  constructor(document: RelayedDocument | undefined) {
    this.#committed = document ?? {};
    this.#last = new Map(Object.entries(this.#committed));
  }

  /** Whether the event was there before. To be asked once for each event that is fetched, in order of position. */
  isRepeat(record: EventRecord & { readonly position: number }): boolean {
    const stamp = record.attributes && stampOf(record);
    if (stamp === undefined) return false;
    const { stream, sequence } = stamp;
    if (sequence <= (this.#last.get(stream) ?? -1)) return true;
    this.#last.set(stream, sequence);
    this.#open.push({ position: record.position, stream, sequence });
    return false;
  }

  /** What the position document is to say when all below `low` is settled; undefined when no relay has sent anything. */
  asOf(low: number): RelayedDocument | undefined {
    let marks: Record<string, number> | undefined;
    for (const { position, stream, sequence } of this.#open) {
      if (position >= low) break;
      (marks ??= { ...this.#committed })[stream] = sequence;
    }
    const known = marks ?? this.#committed;
    for (const _ in known) return known;
    return undefined;
  }

  /** A position document with this low position is committed. */
  committed(low: number): void {
    if (this.#open.length === 0) return;
    this.#committed = this.asOf(low) ?? this.#committed;
    const open = this.#open.findIndex(({ position }) => position >= low);
    this.#open = open === -1 ? [] : this.#open.slice(open);
  }
}
