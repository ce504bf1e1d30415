import { TidingsError } from "../../errors/tidings-error.ts";
import type { Platform } from "../../platform/platform.ts";
import { type Binding, type BindingName, type Connection, loadBinding } from "./binding.ts";
import { describeFailure, failureKind, toTidingsError } from "./failure.ts";
import { migrate } from "./migrate.ts";
import type { Settings } from "./options.ts";
import { notWritable, usablePath } from "./place.ts";
import { pragma, setAndReadBack } from "./pragma.ts";
import { claimFile } from "./registry.ts";
import { whileBusy } from "./retry.ts";

/** An open file whose pragmas are set and whose schema is ours. */
export interface OpenFile {
  readonly connection: Connection;
  readonly binding: BindingName;
  /** Version of SQLite. */
  readonly library: string;
  readonly realPath: string;
  /** Whether other connections are kept out: because the user wants it, or because this SQLite cannot bear them. */
  readonly exclusive: boolean;
  /** Whether a thread of ours may open the file too, through the same library. */
  readonly threads: boolean;
  close(): void;
}

/** Opens the file, makes or migrates it. Throws the storage codes of `errorCatalogue`. */
export async function openFile(settings: Settings, platform: Platform): Promise<OpenFile> {
  const { binding, handle } = await resolveBinding(settings.binding);
  const realPath = usablePath(settings.path, settings.readOnly);
  const release = claimFile(realPath, binding);
  let connection: Connection | undefined;
  try {
    connection = handle ? binding.adopt(handle) : binding.open(realPath, { readOnly: settings.readOnly, waitMs: 0 });
    const opened = connection;
    const library = versionOf(binding);
    const exclusive = settings.exclusive || !bearsManyConnections(library);
    // Of a handle from another copy of better-sqlite3 we cannot know where that copy lies, so no thread can load it.
    const threads = !exclusive && !(handle && binding.name === "better-sqlite3");
    await prepare({ connection: opened, settings, realPath, exclusive, threads, library }, platform);
    const close = (): void => {
      opened.close();
      release();
    };
    return { connection: opened, binding: binding.name, library, realPath, exclusive, threads, close };
  } catch (error) {
    connection?.close();
    release();
    throw openingError(error, settings);
  }
}

/**
 * The WAL-reset bug of SQLite before 3.51.3 (mended in 3.50.7, too) loses commits when two connections write and
 * checkpoint at once.
 */
export function bearsManyConnections(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const number = major * 1_000_000 + minor * 1000 + patch;
  return number >= 3_051_003 || (number >= 3_050_007 && number < 3_051_000);
}

/** Asked of a database in memory, since even this question waits for the locks of a file. */
function versionOf(binding: Binding): string {
  const memory = binding.open(":memory:", { readOnly: false, waitMs: 0 });
  try {
    return String(pragma(memory, "SELECT sqlite_version()"));
  } finally {
    memory.close();
  }
}

async function resolveBinding(binding: Settings["binding"]): Promise<{ binding: Binding; handle?: object }> {
  if (typeof binding === "string") return { binding: await loadBinding(binding) };
  const better = typeof (binding as { pragma?: unknown }).pragma === "function";
  const loaded = await loadBinding(better ? "better-sqlite3" : "node:sqlite");
  return { binding: better ? { ...loaded, identity: "a handle of better-sqlite3" } : loaded, handle: binding };
}

interface Preparing extends Pick<OpenFile, "connection" | "realPath" | "exclusive" | "threads" | "library"> {
  readonly settings: Settings;
}

async function prepare(file: Preparing, platform: Platform): Promise<void> {
  const { connection, settings, exclusive, library } = file;
  // A file that must not be shared is not going to be free soon.
  const waitMs = exclusive && !settings.exclusive ? Math.min(settings.busyTimeoutMs, 1000) : settings.busyTimeoutMs;
  const patient = <Result>(fn: () => Result): Promise<Result> => whileBusy(platform, waitMs, fn);
  try {
    if (exclusive && !settings.readOnly) await patient(() => connection.exec("PRAGMA locking_mode = EXCLUSIVE"));
    await patient(() => checkPath(file));
    await migrate(connection, settings, patient, () => applyPragmas(file));
  } catch (error) {
    if (failureKind(error) !== "busy" || !exclusive || settings.exclusive) throw error;
    throw new TidingsError(
      "TIDINGS_SQLITE_UNSAFE",
      `SQLite ${library} can lose data when several connections use one file, and ${settings.path} is in use; ` +
        "stop the other process, or run a Node.js whose SQLite is 3.51.3 or newer.",
      { cause: error, details: { path: settings.path, sqlite: library } },
    );
  }
}

/** A handle of the user must be one of the file that is claimed. */
function checkPath({ connection, realPath, settings }: Preparing): void {
  const opened = String(pragma(connection, "SELECT file FROM pragma_database_list WHERE name = 'main'"));
  if (opened === realPath) return;
  throw new TidingsError(
    "TIDINGS_INVALID_OPTION",
    `The handle given as "binding" is one of "${opened}", not of ${settings.path}.`,
    {
      details: { path: settings.path, opened },
    },
  );
}

/** Some bindings are compiled with other defaults, so everything that a promise rests on is set and read back. */
function applyPragmas({ connection, settings, threads }: Preparing): void {
  setAndReadBack(connection, "busy_timeout", 0);
  setAndReadBack(connection, "foreign_keys", 0);
  setAndReadBack(connection, "temp_store", 2);
  setAndReadBack(connection, "cache_size", -Math.ceil(settings.cacheBytes / 1024));
  if (settings.readOnly) return;
  setAndReadBack(connection, "journal_mode", "wal");
  setAndReadBack(connection, "synchronous", 2);
  // Where no thread may, this connection has to checkpoint by itself.
  setAndReadBack(connection, "wal_autocheckpoint", threads ? 0 : 1000);
}

function openingError(error: unknown, { path, readOnly }: Settings): Error {
  if (failureKind(error) === "cannot-open" && readOnly) {
    return notWritable(path, `SQLite must make ${path}-shm to read it, and may not (${describeFailure(error)})`);
  }
  return toTidingsError(error, path);
}
