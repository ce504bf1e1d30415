// Puts a planted bug into a text, and says when the catalogue has fallen behind the code.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { PlantedBug } from "./bug.ts";

/** The catalogue does not fit the code any more. */
export class StaleBugError extends Error {}

type Slip = Pick<PlantedBug, "name" | "file" | "find" | "replace">;

/** The text with the bug in it. Throws `StaleBugError` unless what it replaces stands there exactly once. */
export function patched(text: string, { name, file, find, replace }: Slip): string {
  const times = text.split(find).length - 1;
  if (times === 1 && find !== replace) return text.replace(find, () => replace);
  const problem =
    times === 0 ? "does not stand there any more" : times > 1 ? `stands there ${times} times` : "is replaced by itself";
  throw new StaleBugError(
    `The planted bug "${name}" cannot be applied to ${file}: its text ${problem}. Write it anew after the code as it is now: ${JSON.stringify(find.split("\n")[0])}`,
  );
}

/** Every bug that cannot be applied to the sources under this folder, in words. */
export function staleBugs(root: string, bugs: readonly Slip[]): readonly string[] {
  return bugs.flatMap((bug) => {
    try {
      patched(readFileSync(join(root, bug.file), "utf8"), bug);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
}
