// Shares the images of a recording among worker processes.
import { fork } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { flags } from "../launch/run.mjs";
import { nameOf, type Spec } from "./plan.ts";
import { sourceHook } from "./record.ts";
import type { Tried, WorkerMessage, WorkerTask } from "./worker.ts";

export interface PoolTask {
  readonly recording: string;
  readonly seed: number;
  readonly specs: readonly Spec[];
  readonly workers: number;
  readonly finishEvery: number;
  readonly onTried: (tried: Tried) => void;
}

/** Most images of a portion, after which a worker ends: whoever is through early takes the next one. */
const portionMax = 1000;
/** Fewer are not worth a process, which has to read the recording first. */
const portionMin = 60;

/** Resolves when every image was tried. Rejects when a worker ends otherwise than it should. */
export async function tryAll({ specs, workers, onTried, ...common }: PoolTask): Promise<void> {
  const portion = Math.min(portionMax, Math.max(portionMin, Math.ceil(specs.length / workers)));
  const portions = Array.from({ length: Math.ceil(specs.length / portion) }, (_, index) =>
    specs.slice(index * portion, (index + 1) * portion),
  );
  const scratch = mkdtempSync(join(fastFolder(), "tidings-power-cut-"));
  const work = async (): Promise<void> => {
    for (let next = portions.shift(); next; next = portions.shift())
      await runWorker({ ...common, specs: next, scratch }, onTried);
  };
  try {
    await Promise.all(Array.from({ length: workers }, work));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A folder in memory, where there is one: images need no disk that syncs. */
function fastFolder(): string {
  const memory = "/dev/shm";
  try {
    accessSync(memory, constants.W_OK);
    return memory;
  } catch {
    return tmpdir();
  }
}

function runWorker(task: WorkerTask, onTried: (tried: Tried) => void): Promise<void> {
  const worker = fork(join(import.meta.dirname, "worker.ts"), [], { execArgv: [...flags, ...sourceHook] });
  return new Promise((resolve, reject) => {
    let done = false;
    let last = "the first one";
    worker.on("message", (message: WorkerMessage) => {
      if ("tried" in message) {
        last = nameOf(message.tried.spec);
        onTried(message.tried);
      } else if ("done" in message) done = true;
      else reject(new Error(`A worker failed: ${message.failed}`));
    });
    worker.once("error", reject);
    worker.once("exit", (code, signal) => {
      if (done) resolve();
      else reject(new Error(`A worker ended with ${signal ?? code} at an image after ${last}.`));
    });
    worker.send(task);
  });
}
