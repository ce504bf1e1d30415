import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { TidingsError } from "../../errors/tidings-error.ts";

// Nothing here, or anywhere in our code, opens the database file: when a process closes any handle of a
// file, the kernel drops the POSIX locks that SQLite holds on it. Asking for its state is harmless.

/** The path without symbolic links, by which a file is told to be the same. Throws TIDINGS_PATH_UNUSABLE or TIDINGS_READ_ONLY. */
export function usablePath(path: string, readOnly: boolean): string {
  const folder = realFolder(path);
  const real = existing(join(folder, basename(path)));
  const stats = statSync(real, { throwIfNoEntry: false });
  if (stats?.isDirectory()) throw unusable(path, "is a folder; name a file in it");
  if (stats && !stats.isFile()) throw unusable(path, "is not a regular file");
  if (!stats && readOnly)
    throw new TidingsError("TIDINGS_NOT_FOUND", `There is no file ${path}.`, { details: { path } });
  if (readOnly) return real;
  if (!writable(folder))
    throw notWritable(path, `the folder ${folder} cannot be written, and SQLite keeps its log there`);
  if (stats && !writable(real)) throw notWritable(path, "the file cannot be written");
  return real;
}

/** What tells whether the file at the path is still the one that was opened; undefined when there is none. */
export function fileIdentity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Size in bytes, 0 when there is no such file. */
export function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The rejection of a write to a file that was opened, or can only be opened, for reading. */
export function notWritable(path: string, because: string): TidingsError {
  return new TidingsError("TIDINGS_READ_ONLY", `Cannot write ${path}: ${because}.`, { details: { path } });
}

function realFolder(path: string): string {
  try {
    return realpathSync(dirname(path));
  } catch (cause) {
    throw unusable(
      path,
      `cannot be used: its folder ${dirname(path)} does not exist or cannot be entered; make it first`,
      cause,
    );
  }
}

function existing(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // Not there yet.
  }
}

function writable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function unusable(path: string, sentence: string, cause?: unknown): TidingsError {
  return new TidingsError("TIDINGS_PATH_UNUSABLE", `The path ${path} ${sentence}.`, { cause, details: { path } });
}
