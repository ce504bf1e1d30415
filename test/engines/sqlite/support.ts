import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { sqlite, type SqliteOptions } from "../../../src/engines/sqlite/index.ts";
import { afterwards } from "../../lib/afterwards.ts";
import { withoutPackage } from "../../lib/machine.ts";
import { systemPlatform } from "../../../src/platform/system.ts";
import type { Engine } from "../../../src/ports/engine.ts";

export { entry, record } from "../records.ts";
export { afterwards };

export const platform = systemPlatform();

/** Each binding, with the reason why it cannot be tested here. */
export const bindings: readonly {
  readonly binding: "node:sqlite" | "better-sqlite3";
  readonly skip: string | false;
}[] = [
  { binding: "node:sqlite", skip: false },
  { binding: "better-sqlite3", skip: withoutPackage("better-sqlite3") },
];

/** A folder that is removed after the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tidings-sqlite-"));
  afterwards(t, () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** An engine on a file, closed after the test. */
export async function open(
  t: TestContext,
  options: SqliteOptions,
): Promise<Engine & Required<Pick<Engine, "state" | "timers" | "leases" | "transact">>> {
  const engine = await sqlite(options).open({ platform });
  afterwards(t, () => engine.close());
  return engine as never;
}

export const page = { events: 1000, bytes: 1 << 24 };

/** All events of a partition, from the first one on. */
export async function readAll(engine: Engine, topic = "orders", partition = 0) {
  const records = [];
  for (let position = 0; ;) {
    const found = await engine.topics.read(topic, partition, position, page);
    if (found.records.length === 0) return records;
    records.push(...found.records);
    position = found.next;
  }
}

/**
 * Runs a statement on the file behind the engine's back, in another process: a second SQLite library in this one
 * would drop the locks of the first.
 */
export function query(path: string, sql: string, ...values: (string | number)[]): Record<string, unknown>[] {
  const script = `
    const database = new (require("node:sqlite").DatabaseSync)(process.argv[1], { timeout: 5000 });
    const statement = database.prepare(process.argv[2]);
    console.log(JSON.stringify(statement.all(...JSON.parse(process.argv[3]))));
    database.close();`;
  const args = ["--no-warnings", "--input-type=commonjs", "-e", script, path, sql, JSON.stringify(values)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Record<string, unknown>[];
}

/** The error that a promise rejects with. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; details?: Record<string, unknown> }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error("It did not reject.");
}

const childFile = fileURLToPath(new URL("./child.ts", import.meta.url));

/** A process that works on a file, see child.ts; `wrap` goes before the command, as strace does. */
export interface Child {
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

export function child(args: readonly string[], wrap: readonly string[] = [], options: SpawnOptions = {}): Child {
  const [command = process.execPath, ...rest] = [...wrap, process.execPath, childFile, ...args];
  const spawned = spawn(command, rest, { stdio: ["pipe", "pipe", "pipe"], ...options });
  const lines: string[] = [];
  const reader = createInterface({ input: spawned.stdout as NodeJS.ReadableStream });
  reader.on("line", (line) => lines.push(line));
  let errors = "";
  spawned.stderr?.on("data", (chunk) => (errors += String(chunk)));
  const ended = Promise.all([once(spawned, "exit"), once(reader, "close")]).then(([[code]]) => {
    if (code !== 0 && code !== null && errors !== "") lines.push(`stderr ${errors}`);
    return code as number | null;
  });
  return { process: spawned, lines, ended };
}

/** Waits until it holds; looks every few milliseconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Not within ${ms} ms: ${what}`);
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
