// npm run power-cut -- [--images N --seed S --json]: records a real run, cuts its power everywhere, and counts the damage.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";

import { type Options, readOptions, usage } from "./power-cut/options.ts";
import { momentsOf, moreOf, nameOf, planOf, type Spec } from "./power-cut/plan.ts";
import { tryAll } from "./power-cut/pool.ts";
import { readRecording, record } from "./power-cut/record.ts";
import { ensureStrace, Unable } from "./power-cut/strace.ts";
import { Incomplete } from "./power-cut/trace.ts";
import type { Tried } from "./power-cut/worker.ts";
import { isUsageError } from "./usage.ts";

const root = resolve(import.meta.dirname, "..");
/** A recording has more moments than images are tried of it; more of them are recorded for more images. */
const imagesPerRecording = 5000;
/** In one of so many images the services run on until everything is handled. */
const finishEvery = 10;
/** How often images that were the same as others are replaced. */
const roundsMax = 3;
/** How often a run is recorded until the recording is whole. */
const recordingsMax = 3;

/** What all images together came to. */
const nothing = {
  images: 0,
  /** Acknowledged events that had to be there, over all images. */
  acknowledged: 0,
  lost: 0,
  violations: 0,
  recordings: 0,
  boundaries: 0,
  boundariesCovered: 0,
  /** Images that were the same as one before, and not tried again. */
  repeated: 0,
  /** Images in which the services ran on until everything was handled. */
  finished: 0,
};
type Result = typeof nothing;

function add(result: Result, { known, acknowledged, lost, violations, finished }: Tried): void {
  if (known) {
    result.repeated++;
    return;
  }
  result.images++;
  result.acknowledged += acknowledged;
  result.lost += lost;
  result.violations += violations;
  if (finished) result.finished++;
}

const say = (text: string): void => void process.stderr.write(`power-cut: ${text}\n`);

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (options.prepare) {
    await ensureStrace();
    return 0;
  }
  // The recorded processes and the workers find it there.
  if (options.source !== undefined) process.env["TIDINGS_SOURCE"] = options.source;
  if (options.driver !== undefined) process.env["TIDINGS_CUT_DRIVER"] = options.driver;
  const result = { ...nothing };
  if (options.recording !== undefined) await tryRecording(options, result, options.recording, options.images);
  else await tryNew(options, result);
  const line = { seed: options.seed, ...result };
  console.log(options.json ? JSON.stringify(line) : textOf(line));
  return result.lost + result.violations === 0 ? 0 : 1;
}

/** Records as often as the number of images needs, and tries each recording. */
async function tryNew(options: Options, result: Result): Promise<void> {
  await ensureStrace();
  mkdirSync(join(root, ".tmp"), { recursive: true });
  for (let left = options.images; left > 0; left -= imagesPerRecording) {
    const folder = mkdtempSync(join(root, ".tmp", "power-cut-"));
    const before = result.lost + result.violations;
    let whole = false;
    try {
      const seed = options.seed * 1000 + result.recordings;
      say(`recording ${result.recordings + 1}`);
      const images = Math.min(left, imagesPerRecording);
      // Few images look at a shorter run all the more closely.
      await recordWhole(folder, seed, Math.min(1, Math.max(0.1, images / 2500)));
      await tryRecording(options, result, folder, images);
      whole = true;
    } finally {
      const wrong = !whole || result.lost + result.violations > before;
      if (wrong || options.keep) say(`the recording is in ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** A process that dies amid a write leaves a recording of which nobody knows what was written. */
async function recordWhole(folder: string, seed: number, scale: number): Promise<void> {
  for (let left = recordingsMax; ; left--) {
    try {
      await record(folder, seed, scale);
      return;
    } catch (error) {
      if (!(error instanceof Incomplete) || left <= 1) throw error;
      say(`recording again: ${error.message}`);
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    }
  }
}

async function tryRecording(options: Options, result: Result, folder: string, images: number): Promise<void> {
  const { steps, seed } = readRecording(folder);
  const moments = momentsOf(steps);
  const plan = options.image ? undefined : planOf(moments, images, seed);
  const marks = steps.filter(({ call }) => call.kind === "mark").length;
  say(`${steps.length} steps, ${moments.boundaries.length / 2} syncs, ${marks} marks`);
  result.recordings++;
  result.boundaries += plan?.boundaries ?? 0;
  result.boundariesCovered += plan?.boundariesCovered ?? 0;
  const wanted = result.images + images;
  const tell = teller(result);
  const round = (specs: readonly Spec[]): Promise<void> =>
    tryAll({
      recording: folder,
      seed,
      specs,
      workers: options.workers ?? Math.min(4, 2 * availableParallelism()),
      finishEvery: options.image ? 1 : finishEvery,
      onTried(tried) {
        add(result, tried);
        report(folder, tried);
        tell();
      },
    });
  if (!plan) return round([options.image as Spec]);
  await round(plan.specs);
  // Chance draws some images twice; others take their place, unless there are no more.
  for (let first = images + 1, rounds = 0; result.images < wanted && rounds < roundsMax; rounds++) {
    const more = moreOf(moments, wanted - result.images, first, seed);
    first += more.length;
    await round(more);
  }
}

/** Says how far it is, now and then. */
function teller(result: Result): () => void {
  let told = Date.now();
  return () => {
    if (Date.now() - told < 5000) return;
    told = Date.now();
    say(`${result.images} images, ${result.lost} lost, ${result.violations} violations`);
  };
}

/** How many images with something wrong are told in words. */
let toldMost = 5;

function report(folder: string, tried: Tried): void {
  if (tried.lost + tried.violations === 0 || toldMost-- <= 0) return;
  const name = nameOf(tried.spec);
  say(`the image ${name} is wrong: ${tried.lost} lost, ${tried.violations} violations`);
  for (const words of tried.words.slice(0, 5)) say(`  ${words}`);
  const source = process.env["TIDINGS_SOURCE"];
  const driver = process.env["TIDINGS_CUT_DRIVER"];
  const more = (source ? ` --source ${source}` : "") + (driver ? ` --driver ${driver}` : "");
  say(`  it lies in ${tried.folder ?? folder}; this tries it again:`);
  say(`  npm run power-cut -- --recording ${relative(process.cwd(), folder)} --image ${name}${more}`);
}

function textOf(line: Readonly<Record<string, number>>): string {
  return Object.entries(line)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

try {
  process.exitCode = await main();
} catch (error) {
  const misused = isUsageError(error);
  const told = misused || error instanceof Unable;
  console.error(told ? `${(error as Error).message}${misused ? `\n\n${usage}` : ""}` : error);
  process.exitCode = misused ? 2 : 1;
}
