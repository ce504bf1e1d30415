// A process that tries images: reads the recording once, then takes specs and answers with what is wrong with each.
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Dice, dice } from "../../examples/shop/random.ts";
import { Disk } from "./disk.ts";
import { type Image, imageOf } from "./image.ts";
import { knownFrom } from "./known.ts";
import { nameOf, type Spec } from "./plan.ts";
import { fileName, readRecording } from "./record.ts";
import { tryImage } from "./try.ts";

export interface WorkerTask {
  /** Folder of the recording. */
  readonly recording: string;
  readonly seed: number;
  /** In the order of their cuts. */
  readonly specs: readonly Spec[];
  /** A folder of its own, for images. */
  readonly scratch: string;
  /** Images that are tried to their end: one of so many. */
  readonly finishEvery: number;
}

export interface Tried {
  readonly spec: Spec;
  /** The same as an image that was tried before, with the same promises; not tried again. */
  readonly known: boolean;
  readonly acknowledged: number;
  readonly finished: boolean;
  readonly lost: number;
  readonly violations: number;
  readonly words: readonly string[];
  /** Where the image was left, when something is wrong with it: as it was before anybody opened it. */
  readonly folder?: string;
}

export type WorkerMessage = { readonly tried: Tried } | { readonly done: true } | { readonly failed: string };

const send = (message: WorkerMessage): void => void process.send?.(message);

process.once("message", (task: WorkerTask) => {
  run(task).then(
    () => process.disconnect(),
    (error: unknown) => {
      send({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      process.disconnect();
    },
  );
});

async function run(task: WorkerTask): Promise<void> {
  const { steps } = readRecording(task.recording);
  const disk = new Disk(steps);
  const digests = new Set<string>();
  for (const [index, spec] of task.specs.entries()) {
    const moment = disk.at(spec.cut);
    const name = nameOf(spec);
    const chance = dice(`${task.seed}/${name}`);
    const image = imageOf(moment, spec.kind, chance);
    const digest = digestOf(image, moment.marks);
    const known = knownFrom(moment.marks);
    const finished = index % task.finishEvery === 0;
    const facts = { spec, acknowledged: known.acknowledgedCount, finished, lost: 0, violations: 0, words: [] };
    if (digests.has(digest)) {
      send({ tried: { ...facts, known: true } });
      continue;
    }
    digests.add(digest);
    const folder = join(task.scratch, name);
    write(folder, image, chance);
    const { lost, violations, words, none } = await tryImage({ folder, known, seed: task.seed, finish: finished });
    rmSync(folder, { recursive: true, force: true });
    if (!none) {
      const kept = join(task.recording, "images", name);
      write(kept, image, dice(`${task.seed}/${name}`));
      send({ tried: { ...facts, known: false, lost, violations, words, folder: kept } });
    } else {
      send({ tried: { ...facts, known: false } });
    }
  }
  send({ done: true });
}

function write(folder: string, image: Image, chance: Dice): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of image) writeFileSync(join(folder, name), content);
  // Nobody has synced the shared memory, so that anything may stand in it.
  const shared = chance.pick(["absent", "zeros", "junk"] as const);
  if (shared === "absent") return;
  const bytes = Buffer.alloc(32_768);
  if (shared === "junk") for (let at = 0; at < 512; at++) bytes[at] = Math.floor(chance.next() * 256);
  writeFileSync(join(folder, `${fileName}-shm`), bytes);
}

/** The same files after the same marks promise the same. */
function digestOf(image: Image, marks: readonly string[]): string {
  const hash = createHash("sha1").update(String(marks.length));
  for (const [name, content] of image) hash.update(`${name} ${content.length} `).update(content);
  return hash.digest("base64");
}
