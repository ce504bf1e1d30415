// A recording: the trace of a run of the workload, which says everything that its disk was asked to do.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { flags } from "../launch/run.mjs";
import { Disk } from "./disk.ts";
import { imageOf } from "./image.ts";
import { dice } from "../../examples/shop/random.ts";
import type { Step } from "./step.ts";
import { recordCalls } from "./strace.ts";
import { Incomplete, readTrace } from "./trace.ts";
import type { Recorded } from "./workload/main.ts";

/** What is kept beside the trace. */
export interface RecordingFacts {
  readonly seed: number;
  readonly scale: number;
  readonly disk: string;
  readonly marks: string;
}

export interface Recording extends RecordingFacts {
  readonly steps: readonly Step[];
}

export const fileName = "cut.db";

/** Runs the workload in a folder and records it there. Throws when what was recorded does not lead to the files that are there. */
export async function record(folder: string, seed: number, scale: number): Promise<Recording> {
  const disk = join(folder, "disk");
  const marks = join(folder, "marks");
  mkdirSync(disk, { recursive: true });
  const task: Recorded = { file: join(disk, fileName), marks, seed, scale };
  const program = join(import.meta.dirname, "workload/main.ts");
  const command = [process.execPath, ...flags, ...sourceHook, program, JSON.stringify(task)];
  await recordCalls(join(folder, "trace"), command);
  const facts: RecordingFacts = { seed, scale, disk, marks };
  writeFileSync(join(folder, "recording.json"), JSON.stringify(facts));
  const recording = readRecording(folder);
  checkRecording(recording);
  return recording;
}

/** Flags that lead `import "tidings"` to the sources that TIDINGS_SOURCE names. */
export const sourceHook: readonly string[] = ["--import", join(import.meta.dirname, "source.mjs")];

export function readRecording(folder: string): Recording {
  const facts = JSON.parse(readFileSync(join(folder, "recording.json"), "utf8")) as RecordingFacts;
  return { ...facts, steps: readTrace(readFileSync(join(folder, "trace"), "latin1"), facts) };
}

/** What the steps lead to when nothing is lost is what lies there: else a change went past the recorder. */
function checkRecording({ steps, disk }: Recording): void {
  const image = imageOf(new Disk(steps).at(Number.POSITIVE_INFINITY), "all", dice("nothing is left to chance"));
  const names = readdirSync(disk).filter((name) => !name.endsWith("-shm"));
  const wrong = [...image]
    .filter(([name, content]) => !names.includes(name) || !readFileSync(join(disk, name)).equals(content))
    .map(([name]) => name)
    .concat(names.filter((name) => !image.has(name)));
  if (wrong.length === 0) return;
  throw new Incomplete(`The recording does not lead to the files that were written: ${wrong.join(", ")} differ.`);
}
