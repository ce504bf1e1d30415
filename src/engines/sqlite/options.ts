import { resolve } from "node:path";
import type { TidingsError } from "../../errors/tidings-error.ts";
import { checkFlags, checkOptions, invalidOption, numbersOf, valueOfText } from "../../lib/options.ts";
import { type BindingName, bindingNames } from "./binding.ts";

/** Options of the embedded engine. */
export interface SqliteOptions {
  /** The file; made when it does not exist. Its folder must. */
  readonly path: string;
  /** The library, or a handle that you opened with one of them; `node:sqlite` by default. */
  readonly binding?: BindingName | object;
  /** Opens for reading only: nothing is made, migrated or written. */
  readonly readOnly?: boolean;
  /** Keeps every other process out, and uses one connection only. */
  readonly exclusive?: boolean;
  /** Most events of one group commit; 512. */
  readonly groupEventsMax?: number;
  /** Most bytes of one group commit; 1 MiB. */
  readonly groupBytesMax?: number;
  /** How long one group may gather on the event loop before it is committed; 3 ms. */
  readonly groupMsMax?: number;
  /** How long a write waits for the lock of another process before it rejects with TIDINGS_BUSY; 10 s. */
  readonly busyTimeoutMs?: number;
  /** The write-ahead log is copied into the file each time it has grown by this; 4 MiB. */
  readonly checkpointBytes?: number;
  /** Beyond this the write-ahead log is begun anew, under load with a short pause of writing; 32 MiB. */
  readonly walRestartBytes?: number;
  /** Cap of the write-ahead log: beyond it writes wait until the checkpoint thread has caught up; 64 MiB. */
  readonly walBytesMax?: number;
  /** Cap of the write-ahead log while a long read of another process keeps it from being begun anew; 1 GiB. */
  readonly walBytesMaxWhileRead?: number;
  /** How often it is looked whether another process has written, while somebody watches; 25 ms. */
  readonly pollMs?: number;
  /** Page cache of the main connection; 8 MiB. */
  readonly cacheBytes?: number;
}

/** Options with every default filled in. */
export type Settings = { readonly [Name in keyof SqliteOptions]-?: NonNullable<SqliteOptions[Name]> };

const numbers = {
  groupEventsMax: 512,
  groupBytesMax: 1024 * 1024,
  groupMsMax: 3,
  busyTimeoutMs: 10_000,
  checkpointBytes: 4 * 1024 * 1024,
  walRestartBytes: 32 * 1024 * 1024,
  walBytesMax: 64 * 1024 * 1024,
  walBytesMaxWhileRead: 1024 * 1024 * 1024,
  pollMs: 25,
  cacheBytes: 8 * 1024 * 1024,
};
const where = "sqlite()";
const numberNames = Object.keys(numbers) as (keyof typeof numbers)[];
const flagNames = ["readOnly", "exclusive"] as const;

/** Checks options and fills in the defaults. Throws TIDINGS_INVALID_OPTION. */
export function settingsOf(options: SqliteOptions): Settings {
  checkOptions(where, options, ["path", "binding", ...flagNames, ...numberNames]);
  const { path, binding = "node:sqlite", readOnly = false, exclusive = false } = options;
  if (typeof path !== "string" || path === "") throw invalid("path", "is the file's name, such as shop.db");
  if (path.startsWith(":memory:") || path.startsWith("file:")) {
    throw invalid("path", `is the name of a file, not "${path}"; for data in memory use the url memory:`);
  }
  if (typeof binding === "string" && !bindingNames.includes(binding)) {
    throw invalid("binding", `is ${bindingNames.map((name) => `"${name}"`).join(" or ")}, or an open handle of it`);
  }
  checkFlags(where, options, flagNames);
  const filled = numbersOf(where, options, numbers);
  if (filled.walRestartBytes > filled.walBytesMax) throw invalid("walRestartBytes", "is at most walBytesMax");
  return { path: resolve(path), binding, readOnly, exclusive, ...filled };
}

/** Reads `sqlite:shop.db?binding=better-sqlite3`. Throws TIDINGS_INVALID_OPTION. */
export function parseSqliteUrl(url: string): SqliteOptions {
  const match = /^sqlite:(?:\/\/(?=\/))?([^?#]*)(?:\?([^#]*))?$/.exec(url);
  if (!match) throw invalid("url", `looks like sqlite:shop.db or sqlite:/var/lib/shop.db, not "${url}"`);
  const options: Record<string, unknown> = { path: decodeURIComponent(match[1] as string) };
  for (const [name, text] of new URLSearchParams(match[2] ?? "")) {
    if (name === "path") throw invalid("path", "stands before the question mark of the url");
    options[name] = valueOfText(name, text, { numbers: numberNames, flags: flagNames });
  }
  return options as unknown as SqliteOptions;
}

const invalid = (option: string, sentence: string): TidingsError => invalidOption(where, option, sentence);
