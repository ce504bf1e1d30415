// Two children that run at once tell each other how far they are by files in their folder.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Says that this point is reached. */
export function reached(folder: string, point: string, value: unknown = true): void {
  const path = join(folder, `${point}.json`);
  writeFileSync(`${path}.part`, JSON.stringify(value));
  renameSync(`${path}.part`, path);
}

/** Resolves with what was said there when the other one has reached the point. Rejects after a minute. */
export async function waitFor<Value>(folder: string, point: string): Promise<Value> {
  const path = join(folder, `${point}.json`);
  for (let tries = 0; tries < 6000; tries++) {
    if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as Value;
    await setTimeout(10);
  }
  throw new Error(`Nobody has reached ${point} within a minute.`);
}
