import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after } from "node:test";

const main = resolve(import.meta.dirname, "../../src/cli/main.ts");
const flags = ["--conditions=tidings-source", "--disable-warning=ExperimentalWarning"];

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly url?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
  readonly cwd?: string;
}

/** Starts the command line tool as users do, in a process of its own, without a terminal. */
export function start(args: readonly string[], { url, env, cwd }: RunOptions = {}): ChildProcess {
  const { TIDINGS_URL: _, TIDINGS_STORE: ____, NO_COLOR: __, COLUMNS: ___, ...inherited } = process.env;
  return spawn(process.execPath, [...flags, main, ...args], {
    cwd,
    env: { ...inherited, ...(url === undefined ? {} : { TIDINGS_URL: url }), ...env },
  });
}

/** Runs the command line tool to its end. */
export async function tidings(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = start(args, options);
  child.stdin!.on("error", () => undefined);
  child.stdin!.end(options.stdin ?? "");
  return await ended(child);
}

/** What a process has said when it is over. */
export async function ended(child: ChildProcess): Promise<Result> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const status = await new Promise<number | null>((done) => child.once("close", done));
  return { status, stdout, stderr };
}

/** A file in a folder of its own that is removed when the tests of the file are over. */
export function temporaryFile(name = "shop.db"): {
  readonly path: string;
  readonly url: string;
  readonly folder: string;
} {
  const folder = mkdtempSync(join(tmpdir(), "tidings-cli-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  return { path, url: `sqlite:${path}`, folder };
}

/** An application in a process of its own. */
export interface RunningShop {
  /** Resolves when the line was said, also when it has been said before. */
  said(line: string): Promise<void>;
  readonly lines: readonly string[];
  /** Lets the process stop as it should. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** Starts test/cli/shop.ts on the file; resolves when it runs. */
export async function startShop(url: string, ...args: string[]): Promise<RunningShop> {
  const child = spawn(process.execPath, [...flags, resolve(import.meta.dirname, "shop.ts"), url, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  after(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() as string;
    lines.push(...parts);
    for (const listener of listeners) listener();
  });
  const closed = new Promise<void>((done) => child.once("close", () => done()));
  const said = (line: string): Promise<void> =>
    new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`"${line}" was not said: ${lines.join(" | ")}`)), 15_000);
      const look = (): void => {
        if (!lines.includes(line)) return;
        clearTimeout(timer);
        listeners.delete(look);
        done();
      };
      listeners.add(look);
      look();
    });
  await said("ready");
  return {
    said,
    lines,
    async stop() {
      child.stdin.end();
      await closed;
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** Replaces what differs from run to run: ids, times, places, sizes. Widths stay. */
export function normalized(text: string, path: string): string {
  return text
    .replaceAll(path, "<file>")
    .replaceAll(
      /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g,
      "0197f000-0000-7000-8000-000000000000",
    )
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "2026-01-01T00:00:00.000Z")
    .replaceAll(/("\w*(?:[aA]tMs|sinceMs|untilMs)":)\d{13}/g, "$11767225200000")
    .replaceAll(/("oldestAgeMs":)[1-9]\d*/g, "$11234")
    .replaceAll(/("(?:databaseBytes|walBytes|diskFreeBytes|chunks|documents|commits|timers)":)\d+/g, "$10")
    .replaceAll(/((?:databaseBytes|walBytes|diskFreeBytes|chunks|documents|commits|timers) +)\d+/g, "$10")
    .replaceAll(/("(?:host|node|sqlite)":")[^"]*/g, "$1<x>")
    .replaceAll(/^((?:host|node|sqlite) +)\S+$/gm, "$1<x>")
    .replaceAll(/\(node [\d.]+\)/g, "(node <x>)")
    .replaceAll(/("stack":")(?:[^"\\]|\\.)*/g, "$1<stack>")
    .replaceAll(/^ {2}(TerminalError: .*)\n(?: {6}at .*\n)+/gm, "  $1\n      at <stack>\n")
    .replaceAll(/(T00:00:00\.000Z {2})\S+( {2}TerminalError)/g, "$1<host>$2")
    .replaceAll(/("schemaVersion":|schemaVersion +)\d+/g, "$1N")
    .replaceAll(/(\d+(?:\.\d+)?(?:ms|s)|\d+m \d+s)(?=[ .;,)]|$)/gm, "<age>")
    .replaceAll(/\d+( records checked)/g, "N$1")
    .replaceAll(/("recordsChecked":)\d+/g, "$10")
    .replaceAll(/ +<age>/g, " <age>")
    .replaceAll(/the oldest for \d+ s/g, "the oldest for <age>")
    .replaceAll(/(oldest for )[1-9]\d*/g, "$1N");
}
