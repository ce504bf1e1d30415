// Versions of what is measured, and of what it is measured with and against.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Facts } from "./line.ts";

const root = join(import.meta.dirname, "../..");

export function versionsOf(): Facts {
  return { tidings: versionIn(root), commit: commit(), zod: packageVersion("zod") };
}

/** The version of a package of bench/. */
export function packageVersion(name: string): string {
  return versionIn(join(root, "bench/node_modules", name));
}

function versionIn(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
