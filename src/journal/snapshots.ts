import type { SnapshotPart } from "./command.ts";

const partCharsMax = 256 * 1024;

/** Cuts a dump into parts, each of which fits into an event. */
export function partsOf(id: string, at: number, v: number, dump: string, bytesMax: number): SnapshotPart[] {
  // A character takes up to six bytes of JSON in JSON.
  const size = Math.max(1024, Math.min(partCharsMax, Math.floor(bytesMax / 8)));
  const parts = Math.max(1, Math.ceil(dump.length / size));
  return Array.from({ length: parts }, (_, part) => ({
    v, snapshot: id, at, part, parts, text: dump.slice(part * size, (part + 1) * size),
  })); // prettier-ignore
}

/** A whole snapshot: what the commands up to `at` came to. */
export interface Snapshot {
  readonly at: number;
  readonly bytes: number;
  readonly dump: string;
}

/** Puts the parts of snapshots together. */
export class Snapshots {
  readonly #open = new Map<string, { readonly texts: Map<number, string>; bytes: number }>();

  /** The snapshot, once all of its parts are there; each came in an event of so many bytes. */
  add({ snapshot, at, part, parts, text }: SnapshotPart, bytes: number): Snapshot | undefined {
    let found = this.#open.get(snapshot);
    if (!found) this.#open.set(snapshot, (found = { texts: new Map(), bytes: 0 }));
    found.texts.set(part, text);
    found.bytes += bytes;
    const { texts } = found;
    if (texts.size < parts) return undefined;
    this.#open.delete(snapshot);
    return { at, bytes: found.bytes, dump: Array.from({ length: parts }, (_, index) => texts.get(index)).join("") };
  }

  clear(): void {
    this.#open.clear();
  }
}
