// A small application, from the start of its process to its first acknowledgement, then idle.
import { answer, taskOf } from "../lib/child.ts";
import { orderOf } from "../lib/payload.ts";
import { handling, openApp, OrderPlaced } from "../peers/tidings.ts";

export interface StartTask {
  readonly folder: string;
  /** How long to idle before the memory is read. */
  readonly idleMs: number;
}

export interface StartResult {
  /** From the process's start. */
  readonly firstAcknowledgementMs: number;
  /** From `tidings()` on: without Node's own start and the loading of the code. */
  readonly startMs: number;
  readonly residentMiB: number;
}

const { folder, idleMs } = taskOf<StartTask>();
const beforeMs = performance.now();
const app = await openApp(folder, [handling(() => undefined)]).start();
await app.publish(OrderPlaced, orderOf(0, 1));
// performance.now() counts from the start of the process.
const firstAcknowledgementMs = performance.now();
await new Promise((resolve) => setTimeout(resolve, idleMs));
const residentMiB = process.memoryUsage.rss() / 1024 / 1024;
await app.stop();

answer({ firstAcknowledgementMs, startMs: firstAcknowledgementMs - beforeMs, residentMiB } satisfies StartResult);
