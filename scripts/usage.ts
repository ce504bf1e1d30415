// What the commands of this folder share about their arguments.
import { statSync } from "node:fs";
import { join, resolve } from "node:path";

/** What is wrong with the arguments; shown with how the command is used. */
export class UsageError extends Error {}

/** Whether an error is about the arguments: one of ours, or of `parseArgs`. */
export function isUsageError(error: unknown): boolean {
  return (
    error instanceof UsageError || (error as { code?: string } | null)?.code?.startsWith("ERR_PARSE_ARGS") === true
  );
}

/**
 * The folder with the sources that processes are to run: of `--source`, else of TIDINGS_SOURCE, else undefined. It holds
 * index.ts, or has a folder src that does. Throws UsageError.
 */
export function sourceOf(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const text = given ?? environment["TIDINGS_SOURCE"];
  if (text === undefined || text === "") return undefined;
  const found = [resolve(text), resolve(text, "src")].find((folder) => isFile(join(folder, "index.ts")));
  if (found !== undefined) return found;
  throw new UsageError(`--source: there is no index.ts in ${resolve(text)}, nor in a folder src of it.`);
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
