import { TidingsError } from "../../errors/tidings-error.ts";

interface Holder {
  readonly identity: string;
  readonly name: string;
  count: number;
}

/**
 * Which library has which file open, for the whole process and across copies of this package. SQLite's POSIX locks
 * belong to the process: a second library does not see those of the first, drops them when it closes, and
 * rows that were committed are lost without a word.
 */
const key = Symbol.for("tidings.sqlite.files");

function holders(): Map<string, Holder> {
  const place = globalThis as unknown as Record<symbol, Map<string, Holder> | undefined>;
  return (place[key] ??= new Map());
}

/** Notes that a library opens a file; the answer gives it back. Throws TIDINGS_MIXED_SQLITE. */
export function claimFile(realPath: string, binding: { readonly identity: string; readonly name: string }): () => void {
  const files = holders();
  const holder = files.get(realPath) ?? { identity: binding.identity, name: binding.name, count: 0 };
  if (holder.identity !== binding.identity) {
    throw new TidingsError(
      "TIDINGS_MIXED_SQLITE",
      `The file ${realPath} is open in this process through ${holder.name}, so it cannot be opened through ` +
        `${describe(binding, holder)}: two SQLite libraries in one process do not see each other's locks. Use one binding.`,
      { details: { path: realPath, openThrough: holder.identity, refused: binding.identity } },
    );
  }
  holder.count++;
  files.set(realPath, holder);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    holder.count--;
    if (holder.count === 0) files.delete(realPath);
  };
}

function describe(binding: { readonly identity: string; readonly name: string }, holder: Holder): string {
  return binding.name === holder.name ? `another copy of ${binding.name}` : binding.name;
}
