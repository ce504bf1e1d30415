// One process that is to be killed: spawned ahead of its time, so that it has loaded everything when its turn comes.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { flags } from "../launch/run.mjs";
import type { Told } from "./speak.ts";

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it wrote to its standard error. */
  readonly complaint: string;
}

/** What becomes of the lines that processes say. */
export interface Listener {
  acknowledged(numbers: readonly number[]): void;
  said(word: string, rest: string): void;
}

/** Set for every process of a run. */
export interface Surroundings {
  /** Another copy of `src/`. */
  readonly source: string | undefined;
  /** Where commits are traced. */
  readonly trace: string;
  /** The library through which the processes open their file; `node:sqlite` when left out. */
  readonly driver?: string | undefined;
}

const living = new Set<ChildProcess>();
// Nothing outlives the harness, least of all what is stopped.
process.once("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** A process, from its spawning to its end. */
export class Member {
  /** The kill point at which it died. */
  hit: string | undefined;
  /** Resolves when it runs, or is gone. */
  readonly ready: Promise<void>;
  /** Resolves when it stands still at the point that it was told. */
  readonly stopped: Promise<void>;
  /** Resolves when it has ended and all it said is heard. */
  readonly ended: Promise<End>;
  readonly #child: ChildProcess;

  constructor(program: string, listener: Listener, { source, trace, driver }: Surroundings) {
    const child = spawn(process.execPath, [...flags, program], {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...process.env,
        NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --import=${join(import.meta.dirname, "hook.ts")}`,
        NODE_COMPILE_CACHE: join(import.meta.dirname, "../../.tmp/compile-cache"),
        TIDINGS_CRASH_TRACE: trace,
        ...(source === undefined ? {} : { TIDINGS_SOURCE: source }),
        ...(driver === undefined ? {} : { TIDINGS_CRASH_DRIVER: driver }),
      },
    });
    living.add(child);
    this.#child = child;
    // Whoever is killed no longer reads.
    child.stdin.on("error", () => undefined);
    let complaint = "";
    child.stderr.on("data", (text) => (complaint += String(text)));
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    const stopped = Promise.withResolvers<void>();
    this.stopped = stopped.promise;
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      const space = line.indexOf(" ");
      const word = space < 0 ? line : line.slice(0, space);
      const rest = space < 0 ? "" : line.slice(space + 1);
      if (word === "ready") ready.resolve();
      else if (word === "ack") listener.acknowledged(rest.split(" ").map(Number));
      else if (word === "point") this.hit = rest;
      else if (word === "stopped") stopped.resolve();
      else listener.said(word, rest);
    });
    const heard = new Promise<void>((resolve) => lines.once("close", resolve));
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        living.delete(child);
        ready.resolve();
        void heard.then(() => resolve({ code, signal, complaint }));
      });
    });
  }

  begin<Task extends Told>(task: Task): void {
    this.#child.stdin?.end(`${JSON.stringify(task)}\n`);
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM" | "SIGUSR2"): void {
    this.#child.kill(signal);
  }
}
