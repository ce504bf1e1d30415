import { isTidingsError, TidingsError } from "../../errors/tidings-error.ts";

/** What a failure of SQLite means for us. */
export type FailureKind =
  | "busy" // somebody else holds the lock
  | "full" // no space left
  | "io" // the disk failed
  | "corrupt"
  | "not-a-database"
  | "cannot-open"
  | "read-only"
  | "other"; // a fault of the statement: a constraint, a syntax error

/** Primary result codes of SQLite by number, as node:sqlite reports them, and by name, as better-sqlite3 does. */
const kinds: readonly (readonly [number, string, FailureKind])[] = [
  [5, "SQLITE_BUSY", "busy"],
  [6, "SQLITE_LOCKED", "busy"],
  [8, "SQLITE_READONLY", "read-only"],
  [10, "SQLITE_IOERR", "io"],
  [11, "SQLITE_CORRUPT", "corrupt"],
  [13, "SQLITE_FULL", "full"],
  [14, "SQLITE_CANTOPEN", "cannot-open"],
  [15, "SQLITE_PROTOCOL", "busy"],
  [26, "SQLITE_NOTADB", "not-a-database"],
];
/** Growing the shared-memory file fails with a code of its own when the disk is full. */
const shmSize = { number: 4874, name: "SQLITE_IOERR_SHMSIZE" };

/** Tells what kind of failure an error of either binding is. */
export function failureKind(error: unknown): FailureKind {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") {
    if (errcode === shmSize.number) return "full";
    return kinds.find(([number]) => number === (errcode & 0xff))?.[2] ?? "other";
  }
  if (typeof code !== "string" || !code.startsWith("SQLITE_")) return "other";
  if (code === shmSize.name) return "full";
  return kinds.find(([, name]) => code === name || code.startsWith(`${name}_`))?.[2] ?? "other";
}

/** SQLite's own words, with its result code. */
export function describeFailure(error: unknown): string {
  const { errcode, code, message } = (error ?? {}) as { errcode?: number; code?: string; message?: string };
  const name = errcode === undefined ? code : `SQLite result code ${errcode}`;
  return name ? `${message} (${name})` : String(message ?? error);
}

/** The stable error that stands for a failure of SQLite; errors of ours and of the caller's statements pass through. */
export function toTidingsError(error: unknown, path: string): Error {
  if (isTidingsError(error)) return error;
  const make = (code: ConstructorParameters<typeof TidingsError>[0], sentence: string): TidingsError =>
    new TidingsError(code, `${sentence} SQLite says: ${describeFailure(error)}.`, { cause: error, details: { path } });
  switch (failureKind(error)) {
    case "busy":
      return make("TIDINGS_BUSY", `Another process holds the lock of ${path}; try again.`);
    case "full":
      return diskFull(path, error);
    case "io":
      return make("TIDINGS_DISK_FAILED", `The disk failed under ${path}; look at the system's log, then restart.`);
    case "corrupt":
      return make(
        "TIDINGS_FILE_CORRUPT",
        `The file ${path} is damaged; run "tidings engine verify", restore a backup.`,
      );
    case "not-a-database":
      return make("TIDINGS_NOT_OUR_FILE", `The file ${path} is not a SQLite file, or its first page is damaged.`);
    case "cannot-open":
      return make("TIDINGS_PATH_UNUSABLE", `The file ${path} cannot be opened; check the path and its permissions.`);
    case "read-only":
      return make("TIDINGS_READ_ONLY", `The file ${path} or its folder cannot be written; check the permissions.`);
    case "other":
      break;
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** The rejection of a write when no space is left. Nothing was written; the next write tries again. */
export function diskFull(path: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_DISK_FULL",
    `The disk under ${path} is full; nothing was written. Free some space: publishing then goes on by itself.`,
    { cause, details: { path } },
  );
}

/** The rejection of every write after the disk has failed. */
export function diskFailed(path: string, reason: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_DISK_FAILED",
    `Writing ${path} has stopped for good: ${reason}. Reading goes on; look at the system's log, mend the disk, then restart.`,
    { cause, details: { path } },
  );
}

/** The rejection of what was being committed when the disk failed. */
export function unknownOutcome(path: string, cause: unknown): TidingsError {
  return new TidingsError(
    "TIDINGS_OUTCOME_UNKNOWN",
    `The disk failed while a commit to ${path} was synced (${describeFailure(cause)}): it may or may not be there after a restart.`,
    { cause, details: { path } },
  );
}
