import { Worker } from "node:worker_threads";
import type { ThreadData } from "./thread-messages.ts";

/** Starts a thread; it does not keep the process alive. */
export function startThread(data: ThreadData): Worker {
  // From sources this file is .ts and Node runs the other one as it is; in the package both are .js.
  const file = new URL(import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js", import.meta.url);
  // Without the flags of the process: some of them, such as --input-type or --test, make no sense for a thread.
  const worker = new Worker(file, { workerData: data, execArgv: [], name: `tidings sqlite ${data.role}` });
  worker.unref();
  return worker;
}
