import { TidingsError } from "../../errors/tidings-error.ts";

/** What a statement takes as parameters. */
export type SqlValue = string | number | null | Uint8Array;
/** What a statement returns. */
export type Row = Record<string, unknown>;

/** A prepared statement; both bindings have this shape. */
export interface Statement {
  run(...values: SqlValue[]): unknown;
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
  iterate(...values: SqlValue[]): IterableIterator<unknown>;
}

/** One open connection. All calls are synchronous. */
export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  /** Whether a transaction is open. */
  inTransaction(): boolean;
  close(): void;
}

/** How a connection is opened. */
export interface ConnectionOptions {
  readonly readOnly: boolean;
  /** How long SQLite itself waits for a lock; 0 on a thread that has an event loop to serve. */
  readonly waitMs: number;
}

/** A SQLite library: the seam between the engine and what binds SQLite to Node.js. */
export interface Binding {
  readonly name: BindingName;
  /** Tells two copies of one package apart: each has a SQLite of its own. */
  readonly identity: string;
  open(path: string, options: ConnectionOptions): Connection;
  /** Takes over a handle that the user opened; closing leaves it open. */
  adopt(handle: object): Connection;
}

/** The libraries there are. */
export type BindingName = "node:sqlite" | "better-sqlite3";
export const bindingNames: readonly BindingName[] = ["node:sqlite", "better-sqlite3"];

/** Loads a library. Throws TIDINGS_NODE_TOO_OLD or TIDINGS_CLIENT_MISSING. */
export async function loadBinding(name: BindingName): Promise<Binding> {
  checkNode(process.versions.node);
  if (name === "better-sqlite3") return (await import("./binding-better.ts")).betterBinding();
  return (await import("./binding-node.ts")).nodeBinding();
}

/** Throws TIDINGS_NODE_TOO_OLD below 22.18, where `node:sqlite` is missing or lacks what we need. */
export function checkNode(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return;
  throw new TidingsError(
    "TIDINGS_NODE_TOO_OLD",
    `tidings needs Node.js 22.18 or newer, and this is ${version}; install a newer one.`,
    { details: { version } },
  );
}
