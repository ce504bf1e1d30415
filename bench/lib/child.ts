// Every run is a process of its own, so that no run leaves compiled code, garbage or caches to the next.
import { spawn } from "node:child_process";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../children");
/** Longer than the longest run: reading ten million events on a slow disk. */
const timeoutMs = 30 * 60_000;

/** What a child gets: JSON on its command line. */
export type Task = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ChildOptions {
  /** Where each child leaves a CPU profile; undefined for none. */
  readonly profiles: string | undefined;
  /** Further options of Node.js. */
  readonly node?: readonly string[];
}

/** Runs `children/<name>.ts` and answers with the JSON on its last line. Rejects with what it said when it failed. */
export function runChild<Result>(name: string, task: Task, { profiles, node = [] }: ChildOptions): Promise<Result> {
  const profiling = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...profiling, ...node, join(folder, `${name}.ts`), JSON.stringify(task)],
    { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs },
  );
  let said = "";
  let complaint = "";
  child.stdout.on("data", (chunk) => (said += String(chunk)));
  child.stderr.on("data", (chunk) => (complaint += String(chunk)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code !== 0)
        return reject(new Error(`${name} ${JSON.stringify(task)} ended with ${signal ?? code}.\n${complaint}`));
      resolve(JSON.parse(said.trimEnd().split("\n").at(-1) ?? "") as Result);
    });
  });
}

/** What a child was asked to do. */
export function taskOf<Kind>(): Kind {
  return JSON.parse(process.argv[2] ?? "{}") as Kind;
}

/** Prints the result of a child. */
export function answer(result: unknown): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
