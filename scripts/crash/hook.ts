// Loaded into every process that is to be killed, and into its threads, before anything else (`--import`, by
// NODE_OPTIONS). It looks at every statement on its way to SQLite and ends the process at the kill point that it was
// told; so the sources know nothing of kill points, and a copy of them (`TIDINGS_SOURCE`) is killed at the same places.
import { openSync, writeSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { isMainThread } from "node:worker_threads";

import type { KillPointName } from "./points.ts";

const copy = process.env["TIDINGS_SOURCE"];
if (copy) useSources(copy);

/** Runs another copy of `src/` wherever the repository's is imported. */
function useSources(folder: string): void {
  const ours = pathToFileURL(join(import.meta.dirname, "../../src/")).href;
  const theirs = pathToFileURL(join(folder, "/")).href;
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      if (!found.url.startsWith(ours)) return found;
      return { ...found, url: theirs + found.url.slice(ours.length), format: "module-typescript" };
    },
  });
}

/**
 * Where to die, as `NAME:COUNT`, or to stand still, as `NAME:COUNT:stop`; read when the first statement comes, since a
 * thread gets it with its environment.
 */
let aim: { readonly point: string; left: number; readonly stops: boolean } | undefined;

function reached(point: string): void {
  aim ??= readAim();
  if (aim.point !== point || --aim.left !== 0) return;
  writeSync(1, aim.stops ? "stopped\n" : `point ${point}\n`);
  process.kill(process.pid, aim.stops ? "SIGSTOP" : "SIGKILL");
}

function readAim(): NonNullable<typeof aim> {
  const [point = "", count = "1", how] = (process.env["TIDINGS_CRASH_POINT"] ?? "").split(":");
  return { point, left: Number(count), stops: how === "stop" };
}

/** What the program of a scenario tells: that its handler begins or has ended. */
export interface HandlerPoints {
  reached(point: KillPointName): void;
  handlerEnded(): void;
}

let unsettled = false;
(globalThis as unknown as Record<symbol, HandlerPoints>)[Symbol.for("tidings.crash")] = {
  reached,
  handlerEnded: () => void (unsettled = true),
};

/** What the transaction at hand does, in words of kill points. */
const tags = new Set<string>();
/** Tokens of the leases that it has looked at, and the places that it has moved. */
const tokens = new Map<string, number>();
const places = new Map<string, string>();
/** A thread opens the file when the main one has. */
let first = isMainThread;

type Kind =
  | "version"
  | "begin"
  | "commit"
  | "document"
  | "removal"
  | "lease"
  | "timer"
  | "lease-read"
  | "chunk"
  | "retention"
  | "checkpoint";
const kinds: readonly (readonly [RegExp, Kind])[] = [
  // The first statement that reads the file, with which SQLite recovers the log.
  [/application_id AS owner/, "version"],
  [/^BEGIN/, "begin"],
  [/^COMMIT/, "commit"],
  [/^INSERT INTO tidings_document/, "document"],
  [/^DELETE FROM tidings_document/, "removal"],
  [/^INSERT INTO tidings_lease/, "lease"],
  [/^INSERT INTO tidings_timer/, "timer"],
  [/^SELECT name, owner, token, expires_ms FROM tidings_lease WHERE name =/, "lease-read"],
  [/^INSERT INTO tidings_chunk/, "chunk"],
  [/^DELETE FROM tidings_chunk/, "retention"],
  [/^PRAGMA wal_checkpoint/, "checkpoint"],
];

const kindOf = (sql: string): Kind | undefined => kinds.find(([pattern]) => pattern.test(sql))?.[1];

function before(kind: Kind, sql: string, values: readonly unknown[]): void {
  if (kind === "begin") {
    if (unsettled) reached("handler.uncommitted");
    reached("group.before-begin");
  } else if (kind === "commit") {
    reached("group.before-commit");
    for (const tag of tags) reached(`${tag}.before-commit`);
  } else if (kind === "document") noteDocument(String(values[0]), String(values[1]), String(values[4]));
  else if (kind === "removal") noteRemoval(String(values[0]));
  else if (kind === "lease") noteLease(String(values[0]), values[1] as string | null, Number(values[2]));
  else if (kind === "timer") {
    if (String(values[0]).startsWith("$inbox/")) tags.add("inbox");
  } else if (kind === "chunk") reached("append.before");
  else if (kind === "retention") tags.add("retention");
  else if (kind === "checkpoint") reached(`${checkpointOf(sql)}.before`);
}

function after(kind: Kind, sql: string, result: unknown): void {
  if (kind === "version") reached("open.recovered");
  else if (kind === "begin") {
    tags.clear();
    tokens.clear();
    places.clear();
    reached("group.after-begin");
  } else if (kind === "commit") {
    trace();
    unsettled = false;
    for (const tag of tags) reached(`${tag}.after-commit`);
    reached("group.after-commit");
  } else if (kind === "lease-read") {
    const row = result as { name: string; token: number } | undefined;
    if (row) tokens.set(row.name, row.token);
  } else if (kind === "chunk") reached("append.after");
  else if (kind === "checkpoint") reached(`${checkpointOf(sql)}.after`);
}

const checkpointOf = (sql: string): string =>
  sql.includes("PASSIVE") ? "checkpoint" : sql.includes("RESTART") ? "wal-restart" : "wal-truncate";

function noteDocument(collection: string, key: string, value: string): void {
  const [name = ""] = collection.split("/");
  if (name === "$position") {
    tags.add("position");
    places.set(key, value);
  } else if (name === "$claim") tags.add(value.includes('"solo"') ? "solo" : "claim");
  else if (name === "$held") {
    if (value.includes('"reason":"retry"')) tags.add("hold");
    else if (value.includes('"reason":"paused"')) tags.add("pause-key");
  } else if (name === "$dead") tags.add(value.includes('"state":"redriving"') ? "redrive" : "park");
  else if (name === "$dead-closed") tags.add(value.includes('"state":"discarded"') ? "discard" : "resolve");
  else if (name === "$intent") tags.add("intent");
  else if (name === "$answer") tags.add("answer");
  else if (name === "$control") tags.add("pause");
  else if (name === "$subscription") tags.add("register");
}

function noteRemoval(collection: string): void {
  if (collection.startsWith("$held-event/")) tags.add("drain");
}

function noteLease(name: string, owner: string | null, token: number): void {
  if (owner === null) tags.add("lease-release");
  else if (name.startsWith("partition/") && token > 1 && tokens.get(name) !== token) tags.add("lease-take");
}

/** Commits of places with the fencing token that they were checked against, for the invariants of owners and positions. */
const traceFile = isMainThread && process.env["TIDINGS_CRASH_TRACE"];
const traceFd = traceFile ? openSync(traceFile, "a") : undefined;

function trace(): void {
  // The places of a new subscription are made before anybody owns them.
  if (traceFd === undefined || places.size === 0 || tags.has("register")) return;
  let lines = "";
  for (const [key, value] of places) {
    const place = key.slice(0, key.lastIndexOf("/"));
    const topic = place.slice(place.indexOf("/") + 1);
    const partition = Number(key.slice(key.lastIndexOf("/") + 1));
    const lease = `partition/${place.replaceAll("/", "%2F")}/${topic}/${partition}`;
    const { commit, run, low } = JSON.parse(value) as Record<string, number>;
    lines += `${JSON.stringify({ place, partition, lease, commit, run, low, pid: process.pid, token: tokens.get(lease) })}\n`;
  }
  writeSync(traceFd, lines);
}

/** The first statement on the file, and not on the one in memory that is asked for its version. */
function opening(inFile: boolean): void {
  if (!first || !inFile) return;
  first = false;
  reached("open.before");
}

/** What the two libraries have in common. */
interface Database {
  prepare(sql: string): object;
  exec(sql: string): unknown;
}
type Method = (this: object, ...values: unknown[]) => unknown;

/** Looks at every statement of a library. */
function watch<Handle extends Database>(prototype: Handle, inFile: (database: Handle) => boolean): void {
  // oxlint-disable-next-line typescript/unbound-method -- they are called with the object that they belong to
  const { prepare, exec } = prototype;
  prototype.prepare = function (this: Handle, sql: string) {
    opening(inFile(this));
    const statement = prepare.call(this, sql);
    const kind = kindOf(sql);
    if (kind) watchStatement(statement as Record<string, Method>, kind, sql);
    return statement;
  };
  prototype.exec = function (this: Handle, sql: string) {
    opening(inFile(this));
    const kind = kindOf(sql);
    if (kind) before(kind, sql, []);
    const result = exec.call(this, sql);
    if (kind) after(kind, sql, undefined);
    if (/^\s*CREATE /.test(sql)) tags.add("migrate");
    return result;
  };
}

function watchStatement(statement: Record<string, Method>, kind: Kind, sql: string): void {
  for (const name of ["run", "get", "all"]) {
    const method = statement[name] as Method;
    statement[name] = (...values) => {
      before(kind, sql, values);
      const result = method.apply(statement, values);
      after(kind, sql, result);
      return result;
    };
  }
}

if (process.env["TIDINGS_CRASH_DRIVER"] === "better-sqlite3") {
  const { default: BetterDatabase } = await import("better-sqlite3");
  watch(BetterDatabase.prototype, ({ memory }) => !memory);
} else watch(DatabaseSync.prototype, (database) => database.location() !== null);
