// The command line of the harness.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { sourceOf, UsageError } from "../usage.ts";
import { type Spec, specOf } from "./plan.ts";

const drivers: readonly string[] = ["node:sqlite", "better-sqlite3"];

export const usage = `npm run power-cut -- [--images N --seed S --json]

Records every write, sync, rename and removal of a real run on a real file, builds what a disk may hold after a power
cut at any moment of it, opens each of these images and checks it. The last line is the result; the exit status is 1 when
anything is lost or wrong.

  --images N       how many images to try (1000); 5000 have every sync of a recording with both extremes
  --seed S         seed of all chance but that of the recorded processes (1)
  --json           the result is a line of JSON; progress goes to the standard error
  --driver NAME    through which library the file is opened: ${drivers.join(", ")} (the first)
  --source DIR     tries another copy of the sources: DIR holds index.ts, or src/index.ts; TIDINGS_SOURCE is the same
  --recording DIR  tries the recording that an earlier run has kept, instead of making one
  --image NAME     with --recording, only this image, as a violation names it
  --workers N      how many processes try images (two for each processor, 4 at most)
  --keep           keeps the recording, also when nothing is wrong
  --prepare        installs strace where it is missing, and does nothing else
`;

export interface Options {
  readonly images: number;
  readonly seed: number;
  readonly json: boolean;
  readonly keep: boolean;
  readonly prepare: boolean;
  readonly help: boolean;
  readonly workers: number | undefined;
  readonly driver: string | undefined;
  readonly source: string | undefined;
  readonly recording: string | undefined;
  readonly image: Spec | undefined;
}

/** Reads the arguments and TIDINGS_SOURCE. Throws UsageError, and what `parseArgs` throws. */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      images: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      workers: { type: "string" },
      driver: { type: "string" },
      source: { type: "string" },
      recording: { type: "string" },
      image: { type: "string" },
      json: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      prepare: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.image !== undefined && values.recording === undefined)
    throw new UsageError("--image takes an image of a recording: name its folder with --recording.");
  if (values.driver !== undefined && !drivers.includes(values.driver))
    throw new UsageError(`--driver takes ${drivers.join(" or ")}.`);
  return {
    images: wholeNumber("--images", values.images, 1),
    seed: wholeNumber("--seed", values.seed, 0),
    workers: values.workers === undefined ? undefined : wholeNumber("--workers", values.workers, 1),
    json: values.json,
    keep: values.keep,
    prepare: values.prepare,
    help: values.help,
    driver: values.driver,
    source: sourceOf(values.source, environment),
    recording: values.recording === undefined ? undefined : recordingFolder(values.recording),
    image: values.image === undefined ? undefined : imageOf(values.image),
  };
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(number) && number >= least) return number;
  throw new UsageError(`${option} takes a whole number of at least ${least}, not "${text}".`);
}

function recordingFolder(text: string): string {
  const folder = resolve(text);
  for (const name of ["recording.json", "trace"])
    if (!existsSync(join(folder, name)))
      throw new UsageError(`--recording: ${folder} holds no recording: ${name} is missing.`);
  return folder;
}

function imageOf(text: string): Spec {
  const spec = specOf(text);
  if (spec) return spec;
  throw new UsageError(`--image takes a name such as 1234.torn-512.7, as a violation gives it, not "${text}".`);
}
