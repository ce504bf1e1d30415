// What is recorded, run under strace: the processes of one file, one after the other and two at a time.
import { spawn } from "node:child_process";
import { join } from "node:path";

import { flags } from "../../launch/run.mjs";
import type { Task } from "./process.ts";

export interface Recorded {
  readonly file: string;
  readonly marks: string;
  readonly seed: number;
  /** How much of everything there is; 1 is a run with about 400 syncs. */
  readonly scale: number;
}

const { scale, ...common } = JSON.parse(process.argv[2] ?? "{}") as Recorded;
const many = (count: number): number => Math.max(6, Math.round(count * scale));

// A new file; the process dies in the midst of its work, and leaves a log behind.
await run({ by: "ada", orders: many(300), inFlight: 6, moves: many(12), killAfter: many(60) }, "SIGKILL");
// Two that recover it and share it; the last one to end takes the log away.
await Promise.all([
  run({ by: "bob", orders: many(60), inFlight: 3, moves: many(16) }),
  run({ by: "cyd", orders: many(60), inFlight: 1, moves: many(16) }),
]);
// Opened again, dying again at another place, and opened once more.
await run({ by: "dan", orders: many(300), inFlight: 20, moves: many(12), killAfter: many(40) }, "SIGKILL");
await run({ by: "eve", orders: many(40), inFlight: 2, moves: many(20) });

function run(task: Omit<Task, "file" | "marks" | "seed">, end = "0"): Promise<void> {
  const program = join(import.meta.dirname, "process.ts");
  const hooks = process.execArgv.filter((argument) => !flags.includes(argument));
  const child = spawn(process.execPath, [...flags, ...hooks, program, JSON.stringify({ ...common, ...task })], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (String(signal ?? code) === end) resolve();
      else reject(new Error(`The process "${task.by}" ended with ${signal ?? code}, not with ${end}.`));
    });
  });
}
