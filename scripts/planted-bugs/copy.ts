// A copy of the sources in a folder of its own, in which bugs are planted: the repository itself is never touched.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { patched } from "./patch.ts";
import type { PlantedBug } from "./bug.ts";

const copied = ["src", "scripts", "examples", "package.json", "tsconfig.json"];
/** What the launcher brings along; nothing writes to it. */
const linked = ["node_modules", ".node"];

export interface SourceCopy {
  readonly folder: string;
  /** Puts a bug into the copy; call the answer to take it out again. Throws `StaleBugError`. */
  plant(bug: PlantedBug): () => void;
  remove(): void;
}

const folders = new Set<string>();
// Also when the command is told to end.
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Copies the sources of the repository under `root`; `import "tidings"` inside the copy finds the copy. */
export function copySources(root: string): SourceCopy {
  const folder = mkdtempSync(join(tmpdir(), "tidings-planted-"));
  folders.add(folder);
  for (const name of copied) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of linked) symlinkSync(join(root, name), join(folder, name));
  mkdirSync(join(folder, ".tmp"));
  return {
    folder,
    plant(bug) {
      const path = join(folder, bug.file);
      const text = readFileSync(path, "utf8");
      writeFileSync(path, patched(text, bug));
      return () => writeFileSync(path, text);
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
      folders.delete(folder);
    },
  };
}
