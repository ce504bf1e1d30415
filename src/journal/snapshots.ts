import type { SnapshotPart } from "./command.ts";

/** So many commands after a snapshot whoever writes the next one makes a new one, and forgets what lies before it. */
export const commandsPerSnapshot = 2000;
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

/** Puts the parts of snapshots together. */
export class Snapshots {
  readonly #open = new Map<string, Map<number, string>>();

  /** The dump and its place, once all of its parts are there. */
  add({ snapshot, at, part, parts, text }: SnapshotPart): { readonly at: number; readonly dump: string } | undefined {
    let found = this.#open.get(snapshot);
    if (!found) this.#open.set(snapshot, (found = new Map()));
    found.set(part, text);
    if (found.size < parts) return undefined;
    this.#open.delete(snapshot);
    return { at, dump: Array.from({ length: parts }, (_, index) => found.get(index)).join("") };
  }

  clear(): void {
    this.#open.clear();
  }
}
