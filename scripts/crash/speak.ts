// How a process that is to be killed speaks with its supervisor: one line on its standard input says what to do, lines on
// its standard output, which the kernel keeps when the process dies, say what it has done.
import { flushCompileCache } from "node:module";
import { createInterface } from "node:readline";

import type { HandlerPoints } from "./hook.ts";

/** What every process is told besides its own task. */
export interface Told {
  /** No more kills: come to an end. */
  readonly last: boolean;
  /** The kill point to die at, as `NAME:COUNT`; empty for none. */
  readonly point: string;
}

/** Waits, with everything loaded, until the supervisor says what to do. */
export async function taskOfThisProcess<Task>(): Promise<Task & Told> {
  flushCompileCache();
  const lines = createInterface({ input: process.stdin });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once("line", resolve);
    lines.once("close", () => resolve(undefined));
  });
  // The supervisor is gone.
  if (line === undefined) process.exit(0);
  lines.close();
  process.stdin.destroy();
  const task = JSON.parse(line) as Task & Told;
  // In the environment, because threads get it.
  process.env["TIDINGS_CRASH_POINT"] = task.point;
  return task;
}

/** Says a line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const ready = (): void => say("ready");

let acknowledged: number[] = [];

/** Reports an acknowledged publish, together with those of the same moment. */
export function acknowledge(...numbers: readonly number[]): void {
  if (acknowledged.length === 0) queueMicrotask(report);
  acknowledged.push(...numbers);
}

function report(): void {
  say(`ack ${acknowledged.join(" ")}`);
  acknowledged = [];
}

/** The kill points of handlers; in a process without the hook nothing happens at them. */
export const points: HandlerPoints = (globalThis as unknown as Record<symbol, HandlerPoints | undefined>)[
  Symbol.for("tidings.crash")
] ?? { reached: () => undefined, handlerEnded: () => undefined };
