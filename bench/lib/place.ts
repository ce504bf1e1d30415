// Where the files of a run lie: on the disk of the repository, never in memory.
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
/** What statfs says of file systems in memory: tmpfs and ramfs. */
const inMemory = new Set([0x01021994, 0x858458f6]);

/** A folder for one run of the bench, and folders inside it for each child. */
export interface Place {
  readonly folder: string;
  fresh(): string;
  remove(folder?: string): void;
}

/** Makes the folder. Throws when it would lie in memory, where an fsync costs nothing. */
export function makePlace(): Place {
  const above = join(root, ".tmp");
  mkdirSync(above, { recursive: true });
  if (inMemory.has(statfsSync(above).type)) throw new Error(`${above} lies in memory; the bench needs a disk.`);
  const folder = mkdtempSync(join(above, "bench-"));
  return {
    folder,
    fresh: () => mkdtempSync(join(folder, "run-")),
    remove: (which = folder) => rmSync(which, { recursive: true, force: true }),
  };
}
