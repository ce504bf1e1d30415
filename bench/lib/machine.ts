// What the figures were taken on.
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { Facts, Line } from "./line.ts";
import { percentile, rounded } from "./stats.ts";
import type { Place } from "./place.ts";
import { versionsOf } from "./versions.ts";

export function machineLine(place: Place, peers: Facts): Line {
  const all = cpus();
  const settings: Facts = {
    cpu: all[0]?.model ?? "unknown",
    memoryGiB: rounded(totalmem() / 2 ** 30),
    os: osName(),
    kernel: release(),
    arch: arch(),
    fileSystem: `0x${statfsSync(place.folder).type.toString(16)}`,
    fsyncP50Ms: fsyncMs(place),
    loadAverage: rounded(loadavg()[0] ?? 0),
    node: process.version,
    sqlite: sqliteVersion(),
    code: "TypeScript sources, types stripped at load",
    ...versionsOf(),
    ...peers,
  };
  return { name: "machine", value: all.length, unit: "cpus", better: "higher", settings };
}

/** One appended page and its fdatasync: the floor of every acknowledgement. */
function fsyncMs({ folder }: Place): number {
  const path = join(folder, "fsync");
  const file = openSync(path, "w");
  const page = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const began = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    times.push(performance.now() - began);
  }
  closeSync(file);
  rmSync(path);
  return rounded(percentile(times, 50));
}

function sqliteVersion(): string {
  const db = new DatabaseSync(":memory:");
  const row = db.prepare("SELECT sqlite_version() AS version").get() as { version: string };
  db.close();
  return row.version;
}

function osName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}
