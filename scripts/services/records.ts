// What was started: a record per service in .services/, and the URLs of all in one file for tests and the bench.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import type { Place } from "./service.ts";

export interface Running {
  readonly pid: number;
  /** When the kernel says that the process began: a number that comes round again belongs to somebody else. */
  readonly began: string;
  readonly url: string;
  readonly place: Place;
}

export const folder = resolve(import.meta.dirname, "../../.services");

/** The record of a server that runs and is ours, else undefined. */
export function running(name: string): Running | undefined {
  const record = read(name);
  return record !== undefined && beginningOf(record.pid) === record.began ? record : undefined;
}

/** Remembers, or with undefined forgets, a server, and writes the URLs of those that run. */
export function remember(name: string, record: Running | undefined, names: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  // The URL of a server may hold its password.
  if (record === undefined) rmSync(fileOf(name), { force: true });
  else writeFileSync(fileOf(name), JSON.stringify(record), { mode: 0o600 });
  writeFileSync(join(folder, "urls.json"), `${JSON.stringify(urls(names), undefined, 2)}\n`, { mode: 0o600 });
}

/** Name to URL of the servers that run. */
export function urls(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const record = running(name);
      return record === undefined ? [] : [[name, record.url]];
    }),
  );
}

/** When a living process began, in the kernel's ticks since the machine did; undefined where there is none. */
export function beginningOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name stands in brackets and may hold blanks and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function read(name: string): Running | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(name), "utf8")) as Running;
  } catch {
    return undefined;
  }
}

function fileOf(name: string): string {
  return join(folder, `${name}.json`);
}
